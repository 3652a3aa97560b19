"""Transcripts are compared with what commands print: words to the letter, numbers to six digits."""

from pathlib import Path

import pytest
import transcripts

COIN = "$ rdcsolve solve coin.csv --header --words --distortion hamming --D 0.1\n"


@pytest.fixture(autouse=True)
def _coin(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("coin.csv").write_text("side\n" + "head\n" * 7 + "tail\n" * 3)


def test_what_is_printed_is_expected():
    shown = """OPTIMAL, CERTIFIED: the gap between the bounds is within the tolerance
  rate in [0.2857813286, 0.2857813287] nat, gap 7e-13
...
"""
    transcripts.run(f"$ cat coin.csv\nside\nhead\n...\ntail\n{COIN}...\n{shown}")
    transcripts.run(COIN)


@pytest.mark.parametrize(
    "shown",
    [
        "OPTIMAL\n...",
        "...\n  rate in [0.2857813286, 0.2857913287] nat, gap 7e-13\n...",
        "...\n  rate in [0.2857813286, 0.2857813287] bit, gap 7e-13\n...",
        "...\n  rate in [0.2857813286, 0.2857813287] nat, gap 7e-13",
    ],
    ids=["words", "numbers", "units", "the rest"],
)
def test_what_is_not_printed_is_not(shown):
    with pytest.raises(AssertionError, match="prints:"):
        transcripts.run(f"{COIN}{shown}\n")


def test_bad_input_and_other_programmes_are_never_meant():
    with pytest.raises(AssertionError, match="exit code 2"):
        transcripts.run("$ rdcsolve solve none.csv --D 1\n")
    with pytest.raises(AssertionError, match="rm is not run"):
        transcripts.run("$ rm coin.csv\n")
