"""The doors of the library: whatever fails inside is told as one of its own errors; what others raise is theirs."""

import inspect
import pickle
import sys
import warnings

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve import calls
from rdcsolve.calls import public_call
from rdcsolve.errors import InternalError, InvalidInput, OutOfMemory, SolverFailed, UnknownOption

H = [[0.0, 1.0], [1.0, 0.0]]
COIN = rdc.Problem.from_arrays([0.7, 0.3], H, D=0.1)
FROM_INSIDE = {
    AttributeError: InternalError,
    TypeError: InternalError,
    ValueError: InternalError,
    KeyError: InternalError,
    RuntimeError: InternalError,
    RecursionError: InternalError,
    AssertionError: InternalError,
    OSError: InternalError,
    OverflowError: SolverFailed,
    ZeroDivisionError: SolverFailed,
    FloatingPointError: SolverFailed,
    np.linalg.LinAlgError: SolverFailed,
    MemoryError: OutOfMemory,
}


def as_if_inside(source, **names):
    """Compile code as though it stood in a file of the library."""
    space = dict(names)
    exec(compile(source, f"{calls._OWN}/imagined.py", "exec"), space)
    return space


@pytest.mark.parametrize("kind", FROM_INSIDE)
def test_what_fails_inside_is_told_as_the_librarys_own(monkeypatch, kind):
    fail = as_if_inside("def fail(*arguments, **options):\n    raise kind('deep inside')", kind=kind)["fail"]
    monkeypatch.setattr(sys.modules["rdcsolve.solvers.solve"], "side_by_side", fail)
    with pytest.raises(FROM_INSIDE[kind], match="deep inside") as caught:
        rdc.solve(COIN)
    assert isinstance(caught.value.__cause__, kind)
    assert isinstance(caught.value, rdc.RdcError)


@pytest.mark.parametrize("kind", [kind for kind in FROM_INSIDE if kind is not MemoryError])
def test_what_somebody_elses_function_raises_stays_theirs(kind):
    def fail(record):
        raise kind("in my callback")

    with pytest.raises(kind, match="in my callback") as caught:
        rdc.solve(COIN, callback=fail)
    assert not isinstance(caught.value, rdc.RdcError)


def test_a_library_that_somebody_elses_function_calls_is_theirs_too():
    with pytest.raises(np.linalg.LinAlgError):
        rdc.solve(COIN, callback=lambda record: np.linalg.inv(np.zeros((2, 2))))
    with pytest.raises(np.linalg.LinAlgError):
        rdc.Problem(rdc.Source([0.0, 1.0], [0.5, 0.5]), distortion=lambda x, y: np.linalg.inv(np.zeros((2, 2))))


def test_a_library_that_the_library_calls_is_its_own(monkeypatch):
    code = "import numpy\ndef fail(*arguments, **options):\n    numpy.linalg.inv(numpy.zeros((2, 2)))"
    monkeypatch.setattr(sys.modules["rdcsolve.solvers.solve"], "side_by_side", as_if_inside(code)["fail"])
    with pytest.raises(SolverFailed, match="numbers left the range of floats inside solve .LinAlgError: Singular"):
        rdc.solve(COIN)


@pytest.mark.parametrize("kind", [OverflowError, ZeroDivisionError, np.linalg.LinAlgError])
def test_a_step_that_leaves_the_range_of_floats_is_a_breakdown(monkeypatch, kind):
    def fail(*arguments, **options):
        raise kind("no more")

    monkeypatch.setattr(rdc.InteriorPoint, "iterates", fail)
    result = rdc.solve(COIN, rdc.InteriorPoint())
    assert result.status is rdc.Status.NUMERICAL_ERROR
    assert "no more" in result.message


MISFITS = {
    "solve() got an unexpected keyword argument 'tolerence'; did you mean 'tolerance'?": (
        lambda: rdc.solve(COIN, tolerence=1e-3)
    ),
    "solve() missing 1 required positional argument: 'problem'; it takes problem, solver, tolerance, max": rdc.solve,
    "DistortionLimit() got an unexpected keyword argument 'bond'; did you mean 'bound'?": (
        lambda: rdc.DistortionLimit(bond=0.1)
    ),
    "Problem() got an unexpected keyword argument 'limit'; did you mean 'limits'?": lambda: rdc.Problem(None, limit=[]),
    "from_arrays() got an unexpected keyword argument 'normalize'; did you mean 'normalise'?": (
        lambda: rdc.Problem.from_arrays([1.0], [[0.0]], normalize=True)
    ),
    "Source() takes from 3 to 11 positional arguments but 21 were given": lambda: rdc.Source(*range(20)),
    "load() takes 1 positional argument but 2 were given; it takes path": lambda: rdc.load("a", "b"),
}


@pytest.mark.parametrize("told", MISFITS)
def test_arguments_that_do_not_fit_are_told_with_those_that_do(told):
    with pytest.raises(UnknownOption) as caught:
        MISFITS[told]()
    assert str(caught.value).startswith(told[:60])
    assert isinstance(caught.value, (TypeError, InvalidInput))


def test_warnings_of_numpy_are_kept_from_users(monkeypatch):
    monkeypatch.setattr(calls, "QUIET", True)
    noisy = public_call(lambda: np.array([1e308]) * 10 / np.array([0.0]))
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        assert np.isinf(noisy()).all()
    with np.errstate(all="raise"):  # somebody's own habit is no concern of ours
        assert rdc.solve(COIN).status.name == "OPTIMAL"


def test_doors_stay_what_they_are_for_others():
    assert pickle.loads(pickle.dumps(rdc.solve)) is rdc.solve
    assert list(inspect.signature(rdc.solve).parameters)[:2] == ["problem", "solver"]
    assert rdc.solve.__doc__.startswith("Solve a problem")
    limit = rdc.DistortionLimit(0.1)
    assert repr(pickle.loads(pickle.dumps(limit))) == repr(limit)


def test_warnings_made_errors_stay_warnings():
    def warn():
        warnings.warn("look", UserWarning, stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="look"):
            public_call(warn)()
