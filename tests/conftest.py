"""What every test runs under: one BLAS thread, no display, Hypothesis profiles; and the marker of slow tests.

HYPOTHESIS_PROFILE chooses a profile: `ci` (the default: the same examples every time), `quick` for a first
look, `thorough` for a long random search.
"""

import importlib.util
import os

import pytest

# Read by the BLAS and by matplotlib when they load, so set before anything imports them. Several tests run at
# once: more than one thread each would only make them wait for one another. Warnings are errors, which
# pyproject.toml says (filterwarnings).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")  # as benchmarks set it: numba refuses another number later on
os.environ["MPLBACKEND"] = "Agg"

import slow_tests  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

from rdcsolve import calls  # noqa: E402
from rdcsolve.errors import MissingExtra  # noqa: E402

calls.QUIET = False  # NumPy's warnings are kept from users; here they are errors

# The first example of a test may compile a kernel, which says nothing about the test: no deadlines.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "print_blob": True}

settings.register_profile("ci", max_examples=30, derandomize=True, **_COMMON)
settings.register_profile("quick", max_examples=5, derandomize=True, **_COMMON)
settings.register_profile("thorough", max_examples=500, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser):
    parser.addoption("--measure", action="store_true", help="write the list of slow tests anew, see slow_tests.py")


def pytest_configure(config):
    if config.option.measure:
        if config.args_source is not config.ArgsSource.TESTPATHS or config.option.keyword or config.option.markexpr:
            raise pytest.UsageError("--measure writes the list anew, from all tests: leave out paths, -k and -m")
        config.pluginmanager.register(slow_tests.Measure())


def pytest_collection_modifyitems(items):
    slow_tests.mark(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Skip what needs an extra that is not installed, as the error says, and only then."""
    try:
        return (yield)
    except MissingExtra as error:
        missing = getattr(error.__cause__, "name", None)
        if not missing or importlib.util.find_spec(missing) is not None:
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def small_grids():
    """Patch so that grids of few letters go the way of large ones, down to coarse ones of four points."""
    from rdcsolve.solvers.finite import grid_generation

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid_generation, "MANY_LETTERS", 1)
        patch.setattr(grid_generation, "TOO_MANY", 1)
        patch.setattr(grid_generation, "_FEWEST", 4)
        yield patch
