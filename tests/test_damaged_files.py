"""Files from outside are data: whatever is in them is read in little memory or refused, and never executed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource")
PROGRAMME = Path(__file__).with_name("damaged_files.py")


@pytest.mark.parametrize("seed", [0, 1])
def test_damaged_files(tmp_path, seed):
    run = [sys.executable, str(PROGRAMME), str(tmp_path), str(seed), "400"]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    *out_of_order, tally = done.stdout.splitlines()
    assert out_of_order == []
    refused, read = map(int, re.fullmatch(r"refused (\d+), read (\d+)", tally).groups())
    assert refused + read == 400
    assert refused > 200
    assert read > 20


def test_what_is_out_of_order_is_seen(tmp_path, monkeypatch):
    """The watch itself: a pickle that runs, memory beyond what is declared, and errors of other kinds."""
    script = """
import sys, pickle
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from damaged_files import Trap, Watch
path = Path("trap")
path.write_bytes(pickle.dumps(Trap()))
watch = Watch()
print(watch.out_of_order(lambda path: pickle.loads(path.read_bytes()), path))
print(watch.out_of_order(lambda path: bytearray(5_000_000), path))
print(watch.out_of_order(lambda path: 1 / 0, path))
"""
    run = [sys.executable, "-c", script, str(PROGRAMME.parent)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, cwd=tmp_path, timeout=120)
    pickled, large, broken = done.stdout.splitlines()
    assert pickled.startswith("(True, ['executed ")
    assert re.fullmatch(r"\(True, \['\d{7} bytes for \d+'\]\)", large)
    assert broken == "(False, ['ZeroDivisionError: division by zero'])"
