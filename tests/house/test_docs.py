"""The code that the README, the documentation and the docstrings show is run, page by page."""

import doctest
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest
import transcripts
from sybil import Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser

import rdcsolve

ROOT = Path(__file__).parents[2]
GENERATED = {"_build", "gallery", "generated"}
PAGES = [
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if GENERATED.isdisjoint(page.parts)),
]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
TRANSCRIPTS = CodeBlockParser("console", lambda example: transcripts.run(example.parsed))
READER = Sybil([PythonCodeBlockParser(doctest_optionflags=FLAGS), TRANSCRIPTS, SkipParser()])
MODULES = ["rdcsolve", *(found.name for found in pkgutil.walk_packages(rdcsolve.__path__, "rdcsolve."))]
MODULES = [name for name in MODULES if not name.endswith("__main__")]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    """Pages may save files and draw figures; neither outlives its page."""
    monkeypatch.chdir(tmp_path)
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_of_page(page):
    """The blocks of a page are run in order and share their names, as a reader would type them."""
    for example in READER.parse(page).examples():
        example.evaluate()


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_of_module(name):
    try:
        module = import_module(name)
    except rdcsolve.MissingExtra as missing:
        pytest.skip(str(missing))
    failed, _ = doctest.testmod(module, optionflags=FLAGS)
    assert failed == 0


def test_pages_are_found():
    assert len(PAGES) > 5
    assert [example for page in PAGES for example in READER.parse(page).examples()]


def test_every_theorem_has_a_name_of_its_own():
    """Pages refer to each other's theorems by letter and number, so no two may share them."""
    named = re.compile(r"^\*\*(?:Theorem|Proposition|Lemma|Corollary) ([A-Z]?\d+)\b", re.MULTILINE)
    names = [name for page in PAGES for name in named.findall(page.read_text())]
    assert len(names) > 40
    assert sorted(names) == sorted(set(names))
