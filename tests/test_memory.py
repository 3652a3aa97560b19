"""How much memory is free, as the machine, its container and the limit of the process tell it."""

import subprocess
import sys

import pytest

from rdcsolve import memory
from rdcsolve.errors import OutOfMemory, RdcError


def test_what_does_not_fit_is_refused_with_bytes_and_cure(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 1e9)
    memory.require(1e9, "a table", "take fewer")
    with pytest.raises(
        OutOfMemory, match=r"a table would take at least 2,000,000,000 bytes, .*1,000,000,000.*; take fewer"
    ):
        memory.require(2e9, "a table", "take fewer")
    assert issubclass(OutOfMemory, RdcError)
    assert issubclass(OutOfMemory, MemoryError)


def test_nobody_asks_the_system_about_little(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 0.0)
    assert memory.fits(1e6)
    assert not memory.fits(1e9)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_the_limit_of_a_process_counts():
    script = (
        "import resource; from rdcsolve import memory;"
        "resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000,) * 2);"
        "print(memory.free_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 0 < float(done.stdout) < 2e9


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_the_limit_of_a_container_counts(monkeypatch, tmp_path):
    for name, number in {"memory.max": 5_000_000, "memory.current": 4_000_000}.items():
        (tmp_path / name).write_text(f"{number}\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 300000\nactive_file 200000\n")
    limits = ((str(tmp_path / "memory.max"), str(tmp_path / "memory.current")),)
    monkeypatch.setattr(memory, "_LIMITS_OF_GROUPS", limits)
    assert memory.free_bytes() == 1_500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_bytes() > 1_500_000
