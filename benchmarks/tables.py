"""The figures of `run.py --save FOLDER` as Markdown tables, for the page on benchmarks.

python benchmarks/tables.py FOLDER
"""

import argparse
import json
from pathlib import Path

from markdown_table import clock, table, times
from solvers_vs_peers import LABELS


def ours(rows):
    """Print what rdcsolve needed."""
    found = [(row["problem"], row["ours"]) for row in rows]
    table(
        ["problem", "method", "CPU", "wall", "proven gap", "steps", "memory"],
        [
            [
                name,
                run["method"],
                clock(run["cpu"]),
                clock(run["wall"]),
                f"{run['gap']:.0e}",
                str(run["steps"]),
                f"{run['megabytes']:.0f} MB",
            ]
            for name, run in found
        ],
    )


def peers(rows):
    """Print the peers, and rdcsolve at the same proven gaps."""
    lines = []
    for row in rows:
        for peer, found in row["peers"].items():
            if "failure" in found:
                lines.append([row["problem"], LABELS[peer], found["failure"], "", "", "", "", ""])
                continue
            slower = [times(found["cpu"] / found[kind]["cpu"]) for kind in ("ours_at_gap", "ours_at_repaired_gap")]
            gaps = [f"{found[kind]:.0e}" for kind in ("gap", "repaired_gap")]
            distance = f"{max(found['distance'], 0):.0e}"
            lines.append([row["problem"], LABELS[peer], clock(found["cpu"]), distance, *gaps, *slower])
    header = ["problem", "peer", "CPU", "true distance", "proven gap", "repaired", "ratio", "repaired"]
    table(header, lines)


def certified(rows):
    """Print how long hand-written Blahut-Arimoto needs to a certified 1e-6."""
    lines = []
    for row in rows:
        found = row["peers"]["numpy"]
        needed = found["seconds_to_certified"]
        how = "extrapolated" if found["extrapolated"] else "measured"
        lines.append([row["problem"], f"{clock(needed)} ({how})", times(needed / row["ours"]["cpu"])])
    table(["problem", "NumPy Blahut-Arimoto to a certified 1e-6", "over rdcsolve to its proven gap"], lines)


def main():
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    saved = {path.stem: json.loads(path.read_text())["rows"] for path in folder.glob("*.json")}
    rows = saved["solvers_vs_peers"]
    ours(rows)
    certified(rows)
    peers(rows)
    table(
        ["n", "two products", "fused", "ratio"],
        [
            [str(row["n"]), clock(row["two_products"]), clock(row["fused"]), f"{row['ratio']:.2f}"]
            for row in saved["fused_step"]
        ],
    )
    table(
        ["problem", "largest gap", "largest relative violation", "median CPU", "largest CPU", "statuses"],
        [
            [
                row["problem"],
                f"{row['largest_gap']:.0e}",
                f"{row['largest_relative_violation']:.0e}",
                clock(row["median_cpu"]),
                clock(row["largest_cpu"]),
                ", ".join(f"{key} {value}" for key, value in row["statuses"].items()),
            ]
            for row in saved["targets"]
        ],
    )
    if "label_entropy" in saved:
        import label_entropy

        label_entropy.show(saved["label_entropy"])


if __name__ == "__main__":
    main()
