"""The table of bad inputs: some of its cases are run, and the page is the one that all of them give."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARE = 3  # of the cases, every so many are run here; benchmarks/bad_inputs.py runs them all


@pytest.fixture(scope="module")
def table():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import bad_inputs

        return bad_inputs
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def test_bad_inputs_are_told_in_a_sentence(table):
    faults = {case: (told, fault) for _, case, told, fault in table.run(SHARE) if fault}
    assert faults == {}


def test_the_page_shows_every_case(table):
    cases = [case for group in table.PYTHON.values() for case in group]
    cases += [f"rdcsolve {case}" for group in table.COMMANDS.values() for case in group]
    assert len(set(cases)) == len(cases) >= 250
    page = (ROOT / "docs" / "reference" / "bad_inputs.md").read_text()
    assert re.findall(r"^\| `(.*?)` \| ", page, re.MULTILINE) == cases
    assert f"The {len(cases)} cases" in page


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("rdc.solve(problem)", "accepted"),
        ("1 / 0", "an error that is not the library's"),
        ("np.log(-1.0) and rdc.solve(5)", "a warning comes out"),
    ],
)
def test_what_is_not_told_is_a_fault(table, expression, fault):
    assert table.told_in_python(expression, table.names())[1].startswith(fault)


def test_a_command_that_works_is_a_fault(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table.write_files(tmp_path)
    assert table.told_on_the_command_line("solve coin.npz --D 0.1")[1].startswith("exit code 0")
