"""What a sweep keeps of each point, the labelled arrays made of it, and the netCDF file that holds them."""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rdcsolve import options
from rdcsolve.errors import InvalidInput, UnreadableFile
from rdcsolve.explore.grid import Grid, Index, label_names
from rdcsolve.problems.objective import is_rate
from rdcsolve.results import Result, Status
from rdcsolve.results.units import InBits, in_unit_of, is_information
from rdcsolve.writing import whole_path

if TYPE_CHECKING:
    import xarray

_SEAL = b"\nrdcsolve sha256 "  # in front of the digest of what a file has before it

Outcome = dict[str, Any]
"""The numbers of one point, by name of the variable."""

_NUMBERS = {
    "rate_lower": "lower bound on the rate",
    "rate_upper": "upper bound on the rate, attained",
    "objective_lower": "lower bound on the objective",
    "objective_upper": "upper bound on the objective, attained",
    "gap": "upper minus lower bound on the objective",
    "seconds": "wall time of the solution",
}
_WORDS = {"status": "why the solver stopped", "proof": "what the numbers prove"}
_VECTORS = {
    "losses": "mean of each loss under the channel",
    "multipliers": "price of each loss, information per unit of loss",
    "minimum": "least attainable value, where the limits cannot be met",
}
_BESIDE_STATIONARY = {"certificate_multipliers": "multipliers that prove the lower bound"}

UNFINISHED = (Status.INTERRUPTED.name, Status.STOPPED_BY_CALLBACK.name, Status.TIME_LIMIT.name)
"""Of points that another run goes on with."""


def outcome_of(result: Result, names: tuple[str, ...]) -> Outcome:
    """Return what a sweep keeps of a result; `names` are those of the losses and perceptions."""
    outcome: Outcome = {name: float(getattr(result, name)) for name in _NUMBERS}
    outcome |= {"status": result.status.name, "proof": result.proof.name, "steps": int(result.steps)}
    for vector, held in (("losses", result.losses | result.perceptions), ("multipliers", result.multipliers)):
        outcome[vector] = [float(held.get(name, math.nan)) for name in names]
    certificate = result.certificate
    proving = [math.nan] * len(names)
    if certificate is not None:
        of_laws = [law.multiplier for law in certificate.laws] or [0.0] * len(result.perceptions)
        proving = [*certificate.multipliers.tolist(), *of_laws]
    if result.unit == "bit":
        proving = list(InBits(result.objective, names, result.information_losses).multipliers(proving))
    outcome["certificate_multipliers"] = proving
    outcome["minimum"] = [float(result.minimum.get(name, math.nan)) for name in (*names, "rate")]
    return outcome


class Record:
    """The outcomes of a sweep so far, as arrays over its grid.

    Parameters
    ----------
    grid : Grid
    tolerance : float
        The gap asked for, kept with the file; points solved to a looser one are solved again.
    max_steps : int or None
        The steps allowed at each point, kept with the file; points that took as many are solved again with others.

    Attributes
    ----------
    finished : numpy.ndarray
        Which points need no (further) work.
    """

    def __init__(self, grid: Grid, tolerance: float, max_steps: int | None = None) -> None:
        self.grid, self.tolerance, self.max_steps = grid, tolerance, max_steps
        self.finished = np.zeros(grid.shape, dtype=bool)
        n = len(grid.problem.limit_names)
        self.arrays: dict[str, np.ndarray] = {name: np.full(grid.shape, math.nan) for name in _NUMBERS}
        self.arrays |= {name: np.full(grid.shape, "", dtype=object) for name in _WORDS}
        self.arrays["steps"] = np.zeros(grid.shape, dtype=np.int64)
        for name in self._vectors():
            self.arrays[name] = np.full((*grid.shape, n + 1 if name == "minimum" else n), math.nan)

    def _vectors(self) -> dict[str, str]:
        """Return the variables with one more dimension, and what they mean."""
        return _VECTORS | (_BESIDE_STATIONARY if self.grid.has_fixed_letters else {})

    def put(self, index: Index, outcome: Outcome) -> None:
        """Enter the outcome of a point, unless it was cut short and closer bounds are there from an earlier run.

        The status comes last, so that an interrupt in between leaves the point unfinished.
        """
        held = self.arrays["gap"][index]
        if outcome["status"] in UNFINISHED and math.isfinite(held) and not outcome["gap"] < held:
            return
        for name in sorted(self.arrays, key="status".__eq__):
            self.arrays[name][index] = outcome[name]
        self.finished[index] = outcome["status"] not in UNFINISHED

    def take_points(self, known: xarray.Dataset) -> None:
        """Enter the points of another sweep along the one axis of the same problem, at the same tolerance."""
        name = self.grid.names[0]
        _, here, there = np.intersect1d(self.grid.values[0], known[name].values, return_indices=True)
        for array_name, array in self.arrays.items():
            source = array_name.replace("objective", "rate") if array_name not in known else array_name
            array[here] = known[source].values[there]
        self.finished[here] = ~np.isin(self.arrays["status"][here].astype(str), ["", *UNFINISHED])

    def n_finished(self) -> int:
        """Return the number of points that need no further work."""
        return int(self.finished.sum())

    def dataset(self) -> xarray.Dataset:
        """Return the arrays with their labels and units."""
        import xarray

        grid, names = self.grid, self.grid.problem.limit_names
        dims, known = grid.names, grid.problem.information_losses
        data: dict[str, Any] = {}
        for name, meaning in (_NUMBERS | _WORDS).items():
            unit = {"units": self._unit(name)} if name in _NUMBERS else {}
            data[name] = (dims, self.arrays[name].copy(), {"long_name": meaning, **unit})
        data["steps"] = (dims, self.arrays["steps"].copy(), {"long_name": "steps of the solver"})
        for name, meaning in self._vectors().items():
            last = "limit" if name == "minimum" else "loss"
            data[name] = ((*dims, last), self.arrays[name].copy(), {"long_name": meaning})
        if is_rate(grid.problem.objective):
            del data["objective_lower"], data["objective_upper"]
        over_limits = grid.problem.multipliers is None
        kind = "limit on the" if over_limits else "multiplier of the"
        coords: dict[str, Any] = {}
        for name, values in zip(dims, grid.values, strict=True):
            loss = grid.loss_of(name)
            unit = {"units": grid.problem.unit} if over_limits and is_information(loss, known) else {}
            coords[name] = (name, values, {"long_name": f"{kind} {loss.replace('_', ' ')}"} | unit)
        coords |= {"loss": list(names), "limit": [*names, "rate"]}
        return xarray.Dataset(data, coords, self._attributes())

    def _attributes(self) -> dict[str, Any]:
        problem = self.grid.problem
        more: dict[str, Any] = {}
        if problem.label_entropies:
            more = {"label_entropies": " ".join(label_names(problem)), "letters": problem.letters}
        if problem.families:
            more["families"] = json.dumps(problem.families)
        if problem.rate_bound is not None and "rate" not in self.grid.names:
            more["rate"] = in_unit_of(problem, "rate", problem.rate_bound)
        if self.max_steps is not None:
            more["max_steps"] = self.max_steps
        origins = [in_unit_of(problem, name, problem.origin(m)) for m, name in enumerate(problem.limit_names)]
        if any(origins):
            more["origins"] = origins
        return more | {
            "unit": problem.unit,
            "information_losses": " ".join(problem.information_losses),
            "title": problem.source.name or "rdcsolve sweep",
            "objective": problem.objective,
            "axes": "limits" if problem.multipliers is None else "multipliers",
            "fingerprint": problem.fingerprint(),
            "statement": self.grid.statement(),
            "tolerance": self.tolerance,
        }

    def _unit(self, name: str) -> str:
        problem = self.grid.problem
        if name == "seconds":
            return "s"
        counts = name.startswith("rate") or is_information(problem.objective, problem.information_losses)
        return problem.unit if counts else f"unit of {problem.objective}"

    def save(self, path: Path) -> None:
        """Write the arrays to a netCDF file, whole or not at all."""
        write_dataset(self.dataset(), path)

    def take_over(self, path: Path) -> None:
        """Enter what an earlier run of the same sweep left in `path`."""
        held = read_dataset(path)
        if "statement" not in held.attrs or "status" not in held:
            raise InvalidInput(f"{path} exists and is not a sweep; save to another path, or move the file away")
        if held.attrs["statement"] != self.grid.statement():
            raise InvalidInput(
                f"{path} holds a sweep of another problem ({held.attrs['statement']}, now "
                f"{self.grid.statement()}); save to another path, or move the file away"
            )
        same = held["status"].dims == self.grid.names and all(
            np.array_equal(held[name].values, values)
            for name, values in zip(self.grid.names, self.grid.values, strict=True)
        )
        if not same and (held["status"] == "").all():  # nothing to lose: not one point was begun
            return
        if not same:
            points = " x ".join(f"{size} {name}" for name, size in held["status"].sizes.items())
            raise InvalidInput(
                f"{path} holds a sweep over other points ({points}); save to another path, or move the file away"
            )
        for name, array in self.arrays.items():
            source = name.replace("objective", "rate") if name not in held else name
            array[...] = held[source].values
        status = self.arrays["status"]
        self.finished = ~np.isin(status.astype(str), ["", *UNFINISHED])
        again = np.zeros_like(self.finished)
        if held.attrs.get("max_steps") != self.max_steps:
            again |= status == Status.STEP_LIMIT.name
        if held.attrs["tolerance"] > self.tolerance:
            again |= status != Status.INFEASIBLE.name
        again &= self.finished
        self.finished &= ~again
        status[again] = Status.INTERRUPTED.name  # should this run end early, the next one shall go on with them too


def write_dataset(data: xarray.Dataset, path: Path) -> None:
    """Write a dataset as netCDF to a temporary name beside `path`, then rename it.

    Raises
    ------
    SaveFailed
        If it cannot be written; an existing file is left as it was.
    """
    with whole_path(path) as temporary:
        data.to_netcdf(temporary, engine="netcdf4")
        digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
        with temporary.open("ab") as file:  # HDF5 reads no further than what it says is its end
            file.write(_SEAL + digest.encode())


def read_dataset(path: str | os.PathLike[str]) -> xarray.Dataset:
    """Return a dataset from a netCDF file, which is closed again.

    HDF5 may never end on a damaged file. So what `write_dataset` wrote ends with a digest, which is looked at first.

    Raises
    ------
    UnreadableFile
        If the file is missing, is not netCDF, or is not what was written.
    """
    import xarray

    try:
        content = memoryview(options.ordinary_file(Path(path)).read_bytes())
        seal = bytes(content[-len(_SEAL) - 64 :])
        if seal.startswith(_SEAL) and hashlib.sha256(content[: -len(seal)]).hexdigest().encode() != seal[-64:]:
            raise ValueError("it is not what was written: its digest differs")
        return xarray.load_dataset(path, engine="netcdf4")
    except Exception as error:  # damage makes the libraries of netCDF raise nearly anything
        raise UnreadableFile(f"{path} cannot be read as netCDF ({error}); move it away") from error
