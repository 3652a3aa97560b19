"""Tables and picture of docs/explanation/mnist.md for preset `paper`, from files of paper_limits.py, rate_limits.py.

python benchmarks/paper_figure.py [FILE.json] [--figure FILE.png] [--parts FILE.png]
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
from markdown_table import table

from rdcsolve.neural.figures import PUBLISHED, PUBLISHED_UNIVERSAL

DATA = Path(__file__).parent / "data" / "paper_systems.json"
OTHER_RATES = DATA.with_name("rate_limits.json")
CONVENTIONAL, UNIVERSAL = ({"color": "tab:blue", "marker": "o"}, {"color": "tab:orange", "marker": "^"})
MEASURES = ("squared error", "cross-entropy", "accuracy", "sliced $W_2^2$", "messages, bit")
OURS = {False: ("conventional", CONVENTIONAL), True: ("universal, encoder for low cross-entropy", UNIVERSAL)}


class Found:
    """What the file holds."""

    def __init__(self, path):
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        self.trained, self.limit = content["trained"], content["limit"]
        self.standings, self.quantisers = content["standings"], content["quantisers"]
        self.rates = json.loads(OTHER_RATES.read_text(encoding="utf-8"))["rates"]

    def rows(self, is_universal, has_term=False, lambda_c=None):
        """Return systems of one kind at 4.755 bits, seeds beside each other, by lambda_c and lambda_p."""
        chosen = [
            row
            for row in self.trained["rows"]
            if (row["on"] is not None) == is_universal
            and (row["lambda_p"] > 0) == has_term
            and (row["dimension"], row["levels"], row.get("is_expected", False)) == (3, 3, False)
            and lambda_c in (None, row["lambda_c"])
        ]
        return sorted(chosen, key=lambda row: (row["lambda_c"], row["lambda_p"], row["seed"]))

    def expected(self):
        """Return systems of preset `expected`, by seed and lambda_c."""
        chosen = [row for row in self.trained["rows"] if row.get("is_expected", False)]
        return sorted(chosen, key=lambda row: (row["seed"], row["lambda_c"]))

    def above(self, row):
        """Return the limit at a system's cross-entropy, and how far above it the system is; NaN where it ends."""
        if not self.limit:
            return math.nan, math.nan
        x, _, upper = np.transpose(self.limit["most"]["between"])
        mse, here = (row["measures"][name][0] for name in ("mse", "cross_entropy"))
        limit = float(np.interp(here, x, upper, left=math.nan))
        return limit, mse / limit - 1.0

    def groups(self, is_universal, has_term=False):
        """Return lists of systems that differ in their seeds alone."""
        alike = {}
        for row in self.rows(is_universal, has_term):
            alike.setdefault((row["lambda_c"], row["lambda_p"]), []).append(row)
        return list(alike.values())

    def column(self, rows, measure):
        """Return a measure of some systems."""
        if not rows:
            return np.empty(0)
        if measure in rows[0]["measures"]:
            factor = 1 / math.log(2) if measure == "message_entropy" else 1.0
            return np.array([row["measures"][measure][0] for row in rows]) * factor
        return np.array([self.standings.get(row["name"], {}).get(measure, math.nan) for row in rows])


def spread(values, digits):
    """Return the mean of some seeds and, behind it, their range."""
    if np.isnan(values).any():
        return ""
    mean = f"{values.mean():.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ({values.min():.{digits}f} to {values.max():.{digits}f})"


def printed(header, rows):
    """Print a table without the columns that nothing is known of."""
    known = [k for k in range(len(header)) if any(row[k] for row in rows)]
    if rows:
        table([header[k] for k in known], [[row[k] for k in known] for row in rows])


def table_of_measures(found):
    """Print what systems attain, with the spread of seeds."""
    names = (("mse", 4), ("cross_entropy", 3), ("accuracy", 3), ("sliced_w2", 4), ("message_entropy", 2))
    rows = []
    for is_universal, (words, _) in OURS.items():
        for alike in found.groups(is_universal):
            cells = [spread(found.column(alike, name), digits) for name, digits in names]
            rows.append([words, f"{alike[0]['lambda_c']:g}", str(len(alike)), *cells])
    printed(("system", "$\\lambda_c$", "seeds", *MEASURES), rows)
    names, rows = (*names[:3], ("w1", 2), *names[3:]), []
    for alike in found.groups(is_universal=False, has_term=True):
        cells = [spread(found.column(alike, name), digits) for name, digits in names]
        rows.append([f"{alike[0]['lambda_p']:g}", *cells])
    printed(("$\\lambda_p$", *MEASURES[:3], "$W_1$ by the critic", *MEASURES[3:]), rows)


def table_of_expected(found):
    """Print what systems of preset `expected` attain, beside the limit at their cross-entropy."""
    names = (("mse", 4), ("cross_entropy", 3), ("accuracy", 3), ("message_entropy", 2))
    rows = []
    for row in found.expected():
        cells = [spread(found.column([row], name), digits) for name, digits in names]
        limit, above = found.above(row)
        ends = ["", ""] if math.isnan(limit) else [f"{limit:.4f}", f"{100 * above:.1f} %"]
        rows.append([f"{row['lambda_c']:g}", str(row["seed"]), *cells, *ends])
    measures = (*MEASURES[:3], MEASURES[-1])
    printed(("preset expected, $\\lambda_c$", "seed", *measures, "limit", "above it"), rows)


def table_of_rates(found):
    """Print what conventional systems attain at other rates."""
    names = (("mse", 4), ("cross_entropy", 3), ("accuracy", 3), ("message_entropy", 2))
    rows = []
    for row in found.trained["rows"]:
        if (row["dimension"], row["levels"]) != (3, 3) and row["on"] is None:
            cells = [spread(found.column([row], name), digits) for name, digits in names]
            bits = f"{row['dimension'] * math.log2(row['levels']):g}"
            limit = found.rates.get(str(row["levels"] ** row["dimension"]), {"limit": None})["limit"]
            cells += beside(limit, row["measures"]["cross_entropy"][0], row["measures"]["mse"][0])
            rows.append([bits, f"{row['lambda_c']:g}", *cells])
    printed(("bits", "$\\lambda_c$", *MEASURES[:3], MEASURES[-1], "limit", "above it"), rows)
    rows = []
    for n_words, one in found.rates.items():
        for code in one["quantisers"]:
            cells = [f"{code['mse']:.4f}", f"{code['cross_entropy']:.3f}", f"{code['rate'] / math.log(2):.2f}"]
            cells += beside(one["limit"], code["cross_entropy"], code["mse"])
            rows.append([n_words, f"{code['multiplier']:g}", *cells])
    printed(("quantiser, words", "$\\mu_c$", *MEASURES[:2], MEASURES[-1], "limit", "above it"), rows)


def beside(limit, cross_entropy, mse):
    """Return the limit at a cross-entropy and how far above it a squared error is, as texts; empty where it ends."""
    if limit is None:
        return ["", ""]
    x, _, upper = np.transpose(limit["between"])
    least = float(np.interp(cross_entropy, x, upper, left=math.nan, right=math.nan))
    return ["", ""] if math.isnan(least) else [f"{least:.4f}", f"{100 * (mse / least - 1):.1f} %"]


def table_of_quantisers(found):
    """Print what codes without a network attain."""
    names = (("multiplier", "g"), ("words", "d"), ("mse", ".4f"), ("cross_entropy", ".3f"), ("accuracy", ".3f"))
    names = (*names, ("sliced_w2", ".4f"))
    rows = [
        [*(format(one[name], form) for name, form in names), f"{one['rate'] / math.log(2):.2f}"]
        for one in found.quantisers
    ]
    printed(("quantiser, $\\mu_c$", "words", *MEASURES), rows)


def table_of_limits(found):
    """Print the parts of each system's distance from the limit."""
    rows = []
    for row in (row for group in (found.rows(u, t) for t in (False, True) for u in OURS) for row in group):
        one = found.standings.get(row["name"])
        if one is None:
            continue
        term = f", $\\lambda_p$ {row['lambda_p']:g}" if row["lambda_p"] else ""
        words = f"{OURS[row['on'] is not None][0]}, $\\lambda_c$ {row['lambda_c']:g}{term}, seed {row['seed']}"
        numbers = [f"{x:.4f}" for x in (one["mse"], one["limit"][1], *parts_of(one))]
        ends = [f"{one['rate'] / math.log(2):.2f}", f"{one['label_entropy']:.3f}"]
        rows.append([words, f"{one['cross_entropy']:.3f}", *numbers, *ends])
    parts = ("decoder", "encoder", "unused rate", "$I(X;Z)$, bit", "$H(S\\mid Z)$")
    printed(("system", "cross-entropy", "squared error", "limit", *parts), rows)


def parts_of(one):
    """Return what decoder, encoder and unused rate have of the distance from the limit."""
    return (
        one["mse"] - one["best_decoder"],
        one["best_decoder"] - one["limit_at_rate"],
        one["limit_at_rate"] - one["limit"][1],
    )


def single_image_code(found, one):
    """Return the squared error of the best quantiser whose cross-entropy is not above a system's, NaN if none is."""
    return min((q["mse"] for q in found.quantisers if q["cross_entropy"] <= one["cross_entropy"]), default=math.nan)


def penalties(found):
    """Print how much more squared error universal decoders have than conventional systems.

    At the same lambda_c and seed; and at equal cross-entropy, on straight lines between systems of the first seed.
    """
    rows = []
    first = [row for row in found.rows(is_universal=False) if row["seed"] == 0]
    points = sorted((found.column([row], "cross_entropy")[0], found.column([row], "mse")[0]) for row in first)
    curve = np.transpose(points)
    for row in found.rows(is_universal=True):
        own = [one for one in found.rows(False, lambda_c=row["lambda_c"]) if one["seed"] == row["seed"]][0]
        here, mse = (row["measures"][name][0] for name in ("cross_entropy", "mse"))
        beside = np.interp(here, *curve, left=math.nan, right=math.nan)
        base = own["measures"]["mse"][0]
        cells = [
            f"{base:.4f}",
            f"{mse:.4f}",
            f"{100 * (mse / base - 1):.1f} %",
            "" if math.isnan(beside) else f"{100 * (mse / beside - 1):.1f} %",
        ]
        rows.append([f"{row['lambda_c']:g}", str(row["seed"]), *cells])
    header = ("$\\lambda_c$", "seed", "conventional", "universal", "penalty", "at equal cross-entropy")
    printed(header, rows)


def draw(found):
    """Return the picture: cross-entropy without a Wasserstein term, with an inset, and accuracy with it."""
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 6), layout="constrained")
    inset = left.inset_axes((0.47, 0.46, 0.51, 0.52))
    for ax in (left, inset):
        draw_plane(ax, found)
    left.set(xlim=(0, 1.6), ylim=(0.0395, 0.0565))
    inset.set(xlim=(0.14, 0.30), ylim=(0.0468, 0.0516))
    inset.tick_params(labelsize="x-small")
    left.indicate_inset_zoom(inset, edgecolor="0.4")
    left.set(xlabel="cross-entropy of the classifier, nat", ylabel="squared error per pixel")
    left.set_title("without a Wasserstein term")
    draw_terms(right, found)
    seen = {
        words: handle for ax in (left, right) for handle, words in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(seen.values(), seen.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    seeds = len({row["seed"] for row in found.trained["rows"]})
    figure.suptitle(f"MNIST, at most 4.755 bits an image, preset paper, {seeds} seeds")
    return figure


def draw_parts(found):
    """Return the picture of the distances from the limit without a Wasserstein term, each in its parts."""
    from matplotlib import pyplot

    rows = [row for is_universal in OURS for row in found.rows(is_universal) if row["name"] in found.standings]
    figure, ax = pyplot.subplots(figsize=(10, 1.6 + 0.24 * len(rows)), layout="constrained")
    names = []
    for place, row in enumerate(rows):
        one = found.standings[row["name"]]
        left = one["limit"][1]
        parts = zip(("decoder", "encoder", "unused rate"), parts_of(one), strict=True)
        for color, (name, part) in zip(("tab:green", "tab:blue", "tab:orange"), reversed(list(parts)), strict=True):
            ax.barh(place, part, left=left, color=color, alpha=0.8, label=name)
            left += part
        ax.plot(one["limit"][1], place, "|", color="black", ms=10, mew=2, label="limit, long blocks (certified)")
        code = single_image_code(found, one)
        ax.plot(code, place, "*", color="tab:red", ms=8, label="a code of 27 words, no network, no more cross-entropy")
        kind = OURS[row["on"] is not None][0].split(",")[0]
        names.append(f"{kind}, lambda_c {row['lambda_c']:g}, seed {row['seed']}: {one['cross_entropy']:.2f} nat")
    ax.set_yticks(range(len(rows)), names, fontsize="small")
    ax.invert_yaxis()
    ax.set(xlabel="squared error per pixel", xlim=(0.0395, None))
    seen = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    figure.legend(seen.values(), seen.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return figure


def draw_plane(ax, found):
    """Draw squared error against cross-entropy."""
    for is_universal, (words, style) in OURS.items():
        rows = found.rows(is_universal)
        x, y = found.column(rows, "cross_entropy"), found.column(rows, "mse")
        ends = [
            np.abs(np.array([row["measures"][name][1:] for row in rows]).T - v)
            for name, v in (("mse", y), ("cross_entropy", x))
        ]
        ax.errorbar(x, y, *ends, fmt="none", ecolor=style["color"], elinewidth=0.6, alpha=0.5)
        first = np.array([row["seed"] == 0 for row in rows], dtype=bool)
        ax.plot(x[first], y[first], color=style["color"], linewidth=0.8)
        ax.scatter(x[first], y[first], s=30, zorder=3, label=f"{words}, first seed", **style)
        ax.scatter(
            x[~first],
            y[~first],
            s=30,
            zorder=3,
            facecolors="none",
            edgecolors=style["color"],
            marker=style["marker"],
            label=f"{words}, other seeds",
        )
    if found.expected():
        x, y = (found.column(found.expected(), name) for name in ("cross_entropy", "mse"))
        ax.plot(x, y, "D", color="tab:green", markersize=5, zorder=4, label="preset expected, no dither")
    ax.plot(*np.transpose(PUBLISHED["cross_entropy", False]), "x", color="0.3", label="published, conventional")
    (a, b), (c, d) = PUBLISHED_UNIVERSAL["cross_entropy", False]
    ax.fill([a, c, c, a], [b, b, d, d], facecolor="0.7", edgecolor="0.3", alpha=0.5, label="published, universal")
    if found.limit:
        x, lower, upper = np.transpose(found.limit["most"]["between"])
        ax.fill_between(x, lower, upper, color="black", alpha=0.25, linewidth=0)
        ax.plot(
            np.append(x, 3.0),
            np.append(upper, upper[-1]),
            color="black",
            linewidth=1,
            label="limit, long blocks, listed letters (certified)",
        )
    if found.quantisers:
        x, y = ([one[name] for one in found.quantisers] for name in ("cross_entropy", "mse"))
        ax.plot(x, y, "*", color="tab:red", markersize=9, label="quantisers of 27 words, no network")


def draw_terms(ax, found):
    """Draw squared error against accuracy, with a Wasserstein term."""
    rows = found.rows(is_universal=False, has_term=True)
    x, y = found.column(rows, "accuracy"), found.column(rows, "mse")
    ax.plot(x, y, color="tab:purple", linewidth=0.8)
    ax.scatter(
        x,
        y,
        s=30,
        color="tab:purple",
        marker="s",
        zorder=3,
        label="conventional, lambda_c 0.0033, with a Wasserstein term",
    )
    for k in (0, 3, 7)[: len(rows)]:
        ax.annotate(
            f"lambda_p {rows[k]['lambda_p']:g}",
            (x[k], y[k]),
            xytext=(-7, 2),
            ha="right",
            textcoords="offset points",
            fontsize="x-small",
        )
    for is_universal, (_, style) in OURS.items():
        rows = found.rows(is_universal)
        ax.scatter(found.column(rows, "accuracy"), found.column(rows, "mse"), s=22, zorder=3, **style)
    ax.plot(*np.transpose(PUBLISHED["accuracy", True]), "+", color="0.3", label="published with the term, conventional")
    ax.plot(
        *np.transpose(PUBLISHED_UNIVERSAL["accuracy", True]),
        "1",
        color="0.3",
        label="published with the term, universal",
    )
    if found.quantisers:
        ax.plot(
            [one["accuracy"] for one in found.quantisers],
            [one["mse"] for one in found.quantisers],
            "*",
            color="tab:red",
            markersize=9,
        )
    ax.set(xlabel="accuracy of the classifier", ylabel="squared error per pixel", title="with a Wasserstein term")


def main():
    """Print the tables, draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default=DATA, metavar="FILE.json")
    parser.add_argument("--figure", metavar="FILE.png")
    parser.add_argument("--parts", metavar="FILE.png")
    options = parser.parse_args()
    found = Found(options.data)
    for told in (
        table_of_measures,
        table_of_quantisers,
        table_of_expected,
        table_of_rates,
        table_of_limits,
        penalties,
    ):
        told(found)
    if options.figure:
        draw(found).savefig(options.figure, dpi=110)
    if options.parts:
        draw_parts(found).savefig(options.parts, dpi=110)


if __name__ == "__main__":
    main()
