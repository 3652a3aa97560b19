"""Whatever call fails while something is saved, loaded or swept, the user is told and nothing saved is lost."""

import itertools
import logging
import os

import faults
import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.errors import RdcError

pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <function ZipFile.__del__:pytest.PytestUnraisableExceptionWarning"
)  # of zipfile's own: it cannot close what it never began

COIN = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=0.1)
OTHER = COIN.with_limits(D=0.2)
BOUNDS = [0.1, 0.2]
TARGETS = [{"D": 0.1}, {"D": 0.2}]


def ever_fewer(growth, most=1e6):
    """Whole numbers from one on: each of the first, then ever fewer."""
    return itertools.takewhile(lambda k: k < most, (int(growth**n) + n for n in itertools.count()))


@pytest.fixture(scope="module")
def answers():
    return {
        "result": (rdc.solve(COIN), rdc.solve(OTHER)),
        "universal": (rdc.universal_rate(COIN, TARGETS), rdc.universal_rate(COIN, TARGETS[:1])),
    }


def value(answer):
    return answer.rate_upper


@pytest.mark.parametrize("what", ["result", "universal"])
@pytest.mark.parametrize("kind", [faults.disk_is_full, faults.memory_is_out], ids=lambda kind: kind.__name__)
def test_saving_is_whole_or_not_at_all(tmp_path, answers, what, kind):
    path, (old, new) = tmp_path / "answer.npz", answers[what]
    new.save(path)  # everything is imported
    seen = 0
    ks = ever_fewer(1.08) if kind is faults.memory_is_out else None
    for where, error in faults.faults(kind, lambda: new.save(path), ks):
        assert isinstance(error, RdcError), where
        assert os.listdir(tmp_path) == ["answer.npz"], where
        assert value(rdc.load(path)) in (value(old), value(new)), where
        old.save(path)
        seen += 1
    assert seen >= 3
    assert value(rdc.load(path)) == value(new)


@pytest.mark.parametrize("what", ["result", "universal"])
@pytest.mark.parametrize("kind", [faults.disk_is_broken, faults.memory_is_out], ids=lambda kind: kind.__name__)
def test_loading_is_right_or_told(tmp_path, answers, what, kind):
    path, answer = tmp_path / "answer.npz", answers[what][0]
    answer.save(path)
    whole = path.read_bytes()
    loaded = [rdc.load(path)]
    seen = 0
    ks = ever_fewer(1.08) if kind is faults.memory_is_out else None
    for where, error in faults.faults(kind, lambda: loaded.append(rdc.load(path)), ks):
        assert isinstance(error, RdcError) or value(loaded.pop()) == value(answer), where  # zipfile tries twice
        seen += error is not None
    assert seen >= 3
    assert path.read_bytes() == whole
    assert value(rdc.load(path)) == value(answer)


@pytest.mark.parametrize("begun", [False, True], ids=["from nothing", "going on"])
def test_sweeps_keep_what_they_saved(tmp_path, caplog, begun):
    """A disk that fills up at any moment ends a sweep with a sentence; the file is whole, and the next run ends it.

    All that is logged is written too, as it is where some programme has set logging up.
    """
    caplog.set_level(logging.INFO)
    path = tmp_path / "curve.nc"
    right = rdc.sweep(COIN, D=BOUNDS, save=path).rate_upper.values
    seen = 0

    def prepared():
        path.unlink(missing_ok=True)
        if begun:
            rdc.sweep(COIN, D=BOUNDS, save=path, max_steps=1)

    prepared()
    for where, error in faults.faults(faults.disk_is_full, lambda: rdc.sweep(COIN, D=BOUNDS, save=path)):
        assert isinstance(error, RdcError), where
        assert set(os.listdir(tmp_path)) <= {"curve.nc"}, where
        assert not begun or path.exists(), where
        np.testing.assert_array_equal(rdc.sweep(COIN, D=BOUNDS, save=path).rate_upper, right, err_msg=where)
        prepared()
        seen += 1
    assert seen >= 3


def test_memory_may_end_anywhere_in_a_sweep(tmp_path):
    """The calls of a sweep are many: every one at first, then ever fewer."""
    path = tmp_path / "curve.nc"
    right = rdc.sweep(COIN, D=BOUNDS, save=path).rate_upper.values
    path.unlink()
    seen = 0
    for where, error in faults.faults(
        faults.memory_is_out, lambda: rdc.sweep(COIN, D=BOUNDS, save=path), ever_fewer(1.15)
    ):
        assert error is None or isinstance(error, RdcError), where
        again = rdc.sweep(COIN, D=BOUNDS, save=path)
        np.testing.assert_allclose(again.rate_upper, right, atol=2e-9, err_msg=where)
        assert os.listdir(tmp_path) == ["curve.nc"], where
        path.unlink()
        seen += 1
    assert seen >= 30
