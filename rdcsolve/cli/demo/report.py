"""The numbers of the demo as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rdcsolve.cli.demo.digits import CROSS_ENTROPY
from rdcsolve.cli.screen import table
from rdcsolve.explore.envelope import Envelope

if TYPE_CHECKING:
    import xarray
    from rich.console import Console


def show_surface(screen: Console, data: xarray.Dataset) -> None:
    """Print the least rate for every pair of limits."""
    distortions, cross_entropies = data["distortion"].values, data[CROSS_ENTROPY].values
    shown = table(
        screen,
        "Least rate [nat per image]; down: limit on cross-entropy, across: on squared error per pixel",
        "",
        *(f"{limit:.4g}" for limit in distortions),
    )
    slack = _slack(data)
    for j in range(cross_entropies.size - 1, -1, -1):
        cells = [_cell(data.isel(distortion=i, cross_entropy=j), slack[i, j]) for i in range(distortions.size)]
        shown.add_row(f"{cross_entropies[j]:.4g} nat", *cells)
    screen.print(shown)
    screen.print("  d, c: the limit on the distortion, on the cross-entropy, is slack there. -: no channel meets both.")


def _cell(point: xarray.Dataset, slack: str) -> str:
    if point["status"].item() == "INFEASIBLE":
        return "-  "
    return f"{float(point['rate_upper']):.6f} {slack:1}"


def _slack(data: xarray.Dataset) -> np.ndarray:
    marks = np.full(data["status"].shape, "", dtype=object)
    envelope = Envelope(data)
    for axis, mark in enumerate("dc"):
        at = envelope.points[envelope.is_slack(axis)]
        i = np.searchsorted(data["distortion"].values, at[:, 0])
        marks[i, np.searchsorted(data[CROSS_ENTROPY].values, at[:, 1])] = mark
    return marks


def show_tradeoffs(screen: Console, data: xarray.Dataset) -> None:
    """Print the least distortion along each trade-off."""
    shown = table(
        screen,
        "Least distortion at fixed rate",
        "rate [nat]",
        "cross-entropy limit [nat]",
        "distortion, lower bound",
        "upper bound",
        "gap",
        "nats per unit of distortion",
        "nats per nat of cross-entropy",
    )
    for rate in data["rate"].values:
        for k in range(data.sizes["point"]):
            here = data.sel(rate=rate).isel(point=k)
            prices = [float(here["multipliers"].sel(loss=name)) for name in ("distortion", CROSS_ENTROPY)]
            shown.add_row(
                f"{rate:.3g}" if k == 0 else "",
                f"{float(here[CROSS_ENTROPY]):.5f}",
                f"{float(here['objective_lower']):.9f}",
                f"{float(here['objective_upper']):.9f}",
                f"{float(here['gap']):.1e}",
                f"{prices[0]:.4g}",
                f"{prices[1]:.4g}",
            )
        shown.add_section()
    screen.print(shown)


def worst_gap(surface: xarray.Dataset, boundaries: xarray.Dataset) -> tuple[float, int, int, int]:
    """Return the largest gap in nats, and how many points are certified, proved impossible, and neither."""
    price = boundaries["multipliers"].sel(loss="distortion").values
    gaps = np.concatenate([surface["gap"].values.ravel(), (boundaries["gap"].values * price).ravel()])
    proofs = np.concatenate([one["proof"].values.ravel() for one in (surface, boundaries)]).astype(str)
    status = np.concatenate([one["status"].values.ravel() for one in (surface, boundaries)]).astype(str)
    impossible = status == "INFEASIBLE"
    certified = (proofs == "CERTIFIED") & ~impossible & (gaps <= LARGEST_GAP)
    worst = float(gaps[~impossible & np.isfinite(gaps)].max(initial=0.0))
    return worst, int(certified.sum()), int(impossible.sum()), int((~certified & ~impossible).sum())


LARGEST_GAP = 1e-6
"""Nats: what the demo calls certified."""
