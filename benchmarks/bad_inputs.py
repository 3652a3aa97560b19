"""What people are told of bad inputs: runs every case, and writes the page ``docs/reference/bad_inputs.md``.

    python benchmarks/bad_inputs.py            # says which cases are not refused with a sentence, and fails if any is
    python benchmarks/bad_inputs.py --write    # writes the page, too

A case is *told* if it ends in one of the library's own errors, or the command in exit code 2 without a traceback, with
a sentence, without a warning from inside, and before any work. Everything else is a fault.
"""

import argparse
import os
import re
import sys
import tempfile
import warnings
from contextlib import chdir
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")

import numpy as np  # noqa: E402
from bad_inputs_cases import PYTHON  # noqa: E402
from bad_inputs_commands import COMMANDS  # noqa: E402

import rdcsolve as rdc  # noqa: E402

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "bad_inputs.md"
SHORTEST = 20  # characters of a sentence that says what was wrong, and what to do

HEAD = """# What bad inputs are told

Whatever is wrong with an input is told before any work, in one sentence with the value and the cure: in Python as a
`rdcsolve.RdcError` (`InvalidInput` is a `ValueError` too), on the command line with exit code 2. Nothing from inside,
no traceback and no warning of NumPy's, comes out, and nothing is accepted in silence. The {count} cases of this page
are run by `benchmarks/bad_inputs.py --write`, which fails if one of them is not told so.

In the expressions, `coin` is a source of two symbols, `labelled` one with a label, `problem` and `other` are problems
of such sources, `two` has a second loss, `flip` is `[[0, 1], [1, 0]]`, and `result` is that of `problem`. Of the files,
`coin.npz` and `two.npz` hold such problems, `points.csv` samples, `words.csv` a table of words, `empty.csv` and
`empty.npz` nothing, `ragged.csv` rows of different lengths, and `typo.npz` an array `bond_distortion`.
"""


def write_files(folder):
    """Write the files that cases name into a folder."""
    coin = {"p_x": [0.7, 0.3], "distortion": [[0, 1], [1, 0]]}
    np.savez(folder / "coin.npz", **coin)
    np.savez(folder / "two.npz", **coin, loss_miss=[[0, 0], [1, 0]])
    np.savez(folder / "typo.npz", **coin, bond_distortion=0.1)
    np.savez(folder / "other.npz", p_x=[1.0], distortion=[[0.0]])
    np.savez(folder / "empty.npz")
    (folder / "empty.csv").write_text("")
    (folder / "words.csv").write_text("animal,colour\ndog,black\ncat,white\n")
    (folder / "points.csv").write_text("x\n0.0\n1.0\n2.5\n")
    (folder / "ragged.csv").write_text("1,2\n3\n4,5\n")


def names():
    """Return what expressions may use."""
    flip = [[0, 1], [1, 0]]
    problem = rdc.Problem.from_arrays([0.7, 0.3], flip, D=0.1)
    known = {name: getattr(rdc, name) for name in rdc.__all__}
    return known | {
        "rdc": rdc,
        "np": np,
        "nan": float("nan"),
        "inf": float("inf"),
        "flip": flip,
        "coin": rdc.Source([0.0, 1.0], [0.7, 0.3]),
        "labelled": rdc.Source([0.0, 1.0], [0.7, 0.3], labels=[[0.9, 0.1], [0.2, 0.8]]),
        "problem": problem,
        "other": rdc.Problem.from_arrays([0.6, 0.4], flip, D=0.1),
        "two": rdc.Problem.from_arrays([0.7, 0.3], flip, losses={"miss": [[0, 0], [1, 0]]}),
        "result": rdc.solve(problem),
    }


def told_in_python(expression, known):
    """Return what an expression is told, and what is wrong with that, or an empty string."""
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always")
        try:
            value = eval(expression, dict(known))  # noqa: S307 - our own cases
        except rdc.RdcError as error:
            told = f"{type(error).__name__}: {error}"
            fault = "fails inside" if isinstance(error, rdc.InternalError) else ""
        except Exception as error:
            told, fault = f"{type(error).__name__}: {error}", "an error that is not the library's"
        else:
            told, fault = f"accepted: {value!r}", "accepted"
    if noticed:
        fault = fault or f"a warning comes out: {noticed[0].message}"
    return told, fault or ("too short" if len(told) < SHORTEST else "")


def told_on_the_command_line(words):
    """Return what a command line is told, and what is wrong with that, or an empty string."""
    from typer.testing import CliRunner

    from rdcsolve.cli import app

    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always")
        done = CliRunner(env={"COLUMNS": "10000"}).invoke(app, words.split())
    said = re.sub(r"[│╭╮╰╯─]", " ", done.stderr)
    told = " ".join(
        line for line in map(str.strip, said.splitlines()) if line and not line.startswith(("Usage:", "Try "))
    )
    told = re.sub(r"\s+", " ", re.sub(r"^Error\s+", "", told)).strip()
    fault = ""
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        fault = f"a traceback: {done.exception!r}"
    elif done.exit_code != 2:
        fault = f"exit code {done.exit_code}: {done.output[:200]!r}"
    elif noticed:
        fault = f"a warning comes out: {noticed[0].message}"
    return told, fault or ("too short" if len(told) < SHORTEST else "")


def run(every=1):
    """Yield group, case, what it is told, and what is wrong with that: every so many cases."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        write_files(Path(folder))
        known = names()
        for group, cases in PYTHON.items():
            for case in cases[::every]:
                told, fault = told_in_python(case, known)
                yield group, case, told.replace(f"{folder}/", "").replace(folder, "FOLDER"), fault
        for group, cases in COMMANDS.items():
            for case in cases[::every]:
                told, fault = told_on_the_command_line(case)
                yield group, f"rdcsolve {case}", told.replace(f"{folder}/", "").replace(folder, "FOLDER"), fault


def page(rows):
    """Return the page of cases and what they are told."""
    lines, last = [HEAD.format(count=len(rows))], None
    for group, case, told, _ in rows:
        if group != last:
            lines += ["", f"## {group}", "", "| what is given | what is told |", "|---|---|"]
            last = group
        shown = re.sub(r"([|<>*_`$\[\]~])", r"\\\1", " ".join(told.split()))
        lines.append(f"| `{case}` | {shown} |".replace("`|", "`\\|"))
    return "\n".join(lines) + "\n"


def main():
    """Run all cases, say which are not told, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write docs/reference/bad_inputs.md")
    parser.add_argument("--show", action="store_true", help="print what every case is told")
    options = parser.parse_args()
    rows = list(run())
    faults = [row for row in rows if row[3]]
    for _, case, told, fault in rows if options.show else faults:
        print(f"{case}\n    {told[:400]}\n    {fault}" if fault else f"{case}\n    {told[:400]}")
    print(f"{len(faults)} of {len(rows)} cases are not told as they should be")
    if options.write:
        PAGE.write_text(page(rows))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
