"""Shell transcripts of the documentation, run: what is typed, and what it prints, up to digits that no reader minds."""

import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

_NUMBER = r"-?(?:\d+\.\d+|\d+)(?:e[+-]?\d+)?"
_MINOR = [  # what differs from machine to machine: roundings, steps and seconds
    (re.compile(rf"gap {_NUMBER}"), "gap _"),
    (re.compile(rf"multiplier {_NUMBER}"), "multiplier _"),
    (re.compile(rf"{_NUMBER} s\b"), "_ s"),
    (re.compile(r"\d+ steps"), "_ steps"),
    (
        re.compile(r"limits are met only within rounding, exceeded by at most: .*"),
        "the gap between the bounds is within the tolerance",
    ),
    (re.compile(rf"\| +{_NUMBER}e-\d\d \|"), "| _ |"),
]
_RUNNER = CliRunner()


def run(text):
    """Run the lines of a transcript that begin with a dollar sign; compare what follows each with what it prints.

    Commands are `rdcsolve ...`, and `cat FILE`. A line of three dots stands for any lines. Where nothing follows, the
    command is run all the same. Exit codes of 2, bad input, are never meant.
    """
    for typed, expected in _commands(text):
        program, *words = shlex.split(typed)
        if program == "cat":
            printed, told = Path(words[0]).read_text(), ""
        elif program == "rdcsolve":
            from rdcsolve.cli.app import app

            done = _RUNNER.invoke(app, words)
            assert done.exit_code in (0, 1), f"{typed}: exit code {done.exit_code}: {done.stderr}"
            printed, told = done.stdout, done.stderr
        else:
            raise AssertionError(f"{typed}: {program} is not run in transcripts")
        if expected:  # on a terminal what is told on standard error comes in between
            known = told.splitlines()
            left = [line for line in expected if line == "..." or line not in known]
            assert agree(left, _lines(printed)), f"{typed} prints:\n{printed}\n{told}"


def agree(expected, printed):
    """Whether lines are what is expected: the same words, numbers to six digits; three dots stand for any lines."""
    if not expected:
        return not printed
    first, *rest = expected
    if first == "...":
        return any(agree(rest, printed[k:]) for k in range(len(printed) + 1))
    return bool(printed) and _alike(first, printed[0]) and agree(rest, printed[1:])


def _alike(first, second):
    for pattern, sign in _MINOR:
        first, second = pattern.sub(sign, first), pattern.sub(sign, second)
    if _words(first) != _words(second):
        return False
    pairs = zip(re.findall(_NUMBER, first), re.findall(_NUMBER, second), strict=True)
    return all(abs(float(a) - float(b)) <= 1e-6 * abs(float(a)) + 1e-9 for a, b in pairs)


def _lines(text):
    return [line for line in text.splitlines() if line.strip()]


def _words(line):
    """The words of a line without its numbers, whatever the widths of columns."""
    return re.sub(r"[\s-]+", " ", re.sub(_NUMBER, "#", line)).strip()


def _commands(text):
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
    return [(typed, _lines("\n".join(lines))) for typed, lines in found]
