"""Kernels as features: the squared length of their mean is the squared discrepancy, whatever kernel and target."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.perception import distance
from rdcsolve.problems.storage import arrays_of, problem_of

SEEDS = st.integers(0, 2**32 - 1)


def gaussian(a, b):
    return np.exp(-0.5 * ((a[:, None] - b) ** 2).sum(axis=2))


def energy(a, b):
    return -np.sqrt(((a[:, None] - b) ** 2).sum(axis=2))


def quadratic(a, b):
    return (1 + a @ b.T) ** 2


@given(SEEDS, st.sampled_from([gaussian, energy, quadratic]))
def test_the_discrepancy_is_its_definition(seed, kernel):
    rng = np.random.default_rng(seed)
    n, m, dim = (int(value) for value in rng.integers(1, 6, 3))
    source = rdc.Source(rng.normal(size=(n, dim)), rng.dirichlet(np.ones(n)))
    places = np.vstack([rng.normal(size=(m, dim)), source.points[:1]])
    known = rdc.PerceptionLimit(0.1, "mmd", kernel=kernel).resolve(source, places, m + 1)
    q = rng.dirichlet(np.ones(m + 1))
    everywhere, weights = np.vstack([places, source.points]), np.concatenate([q, -source.p_x])
    assert distance(known, q) == pytest.approx(weights @ kernel(everywhere, everywhere) @ weights, abs=1e-11)
    assert distance(known, q) <= known.scale * (1 + 1e-12)


@given(SEEDS)
def test_widths_tables_and_functions_are_the_same(seed):
    rng = np.random.default_rng(seed)
    n, width = int(rng.integers(2, 6)), float(rng.uniform(0.3, 3))
    source = rdc.Source(rng.normal(size=(n, 2)), rng.dirichlet(np.ones(n)))
    table = gaussian(source.points / width, source.points / width)
    forms = (width, table, lambda a, b: gaussian(a / width, b / width))
    q = rng.dirichlet(np.ones(n))
    found = [distance(rdc.PerceptionLimit(1, "mmd", kernel=one).resolve(source, source.points, n), q) for one in forms]
    assert found == pytest.approx([found[0]] * 3, rel=1e-9, abs=1e-14)
    without = rdc.PerceptionLimit(1, "mmd", kernel=table).resolve(rdc.Source(None, source.p_x), None, n)
    assert distance(without, q) == pytest.approx(found[0], rel=1e-9, abs=1e-14)


def test_the_source_is_at_no_discrepancy_from_itself():
    x = np.linspace(-3, 3, 60)
    source = rdc.Source(x, np.exp(-x * x / 2), normalise=True)
    known = rdc.PerceptionLimit(1, "mmd", kernel=1.0).resolve(source, source.points, 60)
    assert distance(known, source.p_x) < 1e-29
    assert known.features.shape[1] < 60  # eigenvalues that are rounding are left out


def test_what_is_stated_is_kept_in_files():
    source = rdc.Source([0.0, 1.0, 3.0], [0.2, 0.5, 0.3])
    limits = [rdc.DistortionLimit(1.0), rdc.PerceptionLimit(0.01, "mmd", kernel=1.0)]
    problem = rdc.Problem(source, limits=limits)
    arrays = {key: np.asarray(value) for key, value in arrays_of(problem).items()}
    again = problem_of(arrays, "file")
    assert again == problem
    assert again.fingerprint() == problem.fingerprint()
    other = rdc.Problem(source, limits=[limits[0], rdc.PerceptionLimit(0.01, "mmd", kernel=1.1)])
    assert other.fingerprint() != problem.fingerprint()
    for broken in ({"features_perception": None}, {"features_perception": np.full((3, 1), math.nan)}):
        held = {key: value for key, value in (arrays | broken).items() if value is not None}
        with pytest.raises(rdc.InvalidInput):
            problem_of(held, "file")
    with pytest.raises(rdc.InvalidInput, match="features"):
        problem_of(arrays | {"perception_perception": np.array("tv")}, "file")


def test_letters_of_a_list_have_the_same_features():
    source = rdc.Source([0.0, 1.0], [0.5, 0.5])
    problem = rdc.Problem(source, limits=[rdc.PerceptionLimit(0.1, "mmd", kernel=1.0)])
    listed = problem.listed([1, 0, 1], []).perceptions[0]
    assert listed.law(np.arange(3), np.array([0.2, 0.5, 0.3])).tolist() == [0.5, 0.5]
    assert distance(listed, np.array([0.5, 0.5])) < 1e-30


def stated(**more):
    source = rdc.Source([0.0, 1.0], [0.5, 0.5])
    return rdc.Problem(
        source, reproduction=more.pop("reproduction", None), limits=[rdc.PerceptionLimit(0.1, "mmd", **more)]
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rdc.PerceptionLimit(0.1, "mmd"), "needs kernel="),
        (lambda: rdc.PerceptionLimit(0.1, "tv", kernel=1.0), "takes no kernel="),
        (lambda: rdc.PerceptionLimit(0.0, "mmd", kernel=1.0), "'exact'"),
        (lambda: stated(kernel=1.0).with_limits(P=0), "'exact'"),
        (lambda: rdc.PerceptionLimit(0.1, "mmd", kernel=-1.0), "width -1"),
        (lambda: rdc.PerceptionLimit(0.1, "mmd", kernel=math.nan), "width nan"),
        (lambda: rdc.PerceptionLimit(0.1, "mmd", kernel=[[1.0, 0.0]]), r"shape \(1, 2\)"),
        (lambda: rdc.PerceptionLimit(0.1, "mmd", kernel="gaussian"), "gaussian"),
        (lambda: stated(kernel=[[1.0, 2.0], [2.0, 1.0]]), "not positive definite.*-2"),
        (lambda: stated(kernel=lambda a, b: np.abs(a - b.T)), "not positive definite"),
        (lambda: stated(kernel=[[1.0, 0.2], [0.1, 1.0]]), "not symmetric.*0.1"),
        (lambda: stated(kernel=np.eye(3)), r"give \(2, 2\)"),
        (lambda: stated(kernel=np.eye(2), reproduction=[0.0, 2.0]), "reproduction 1 is at the point of no atom"),
        (lambda: stated(kernel=lambda a, b: np.ones(3)), r"shape \(3,\)"),
        (lambda: stated(kernel=lambda a, b: 1 / 0), "ZeroDivisionError"),
        (lambda: stated(kernel=lambda a, b: np.full((len(a), len(b)), math.inf)), "finite"),
        (lambda: rdc.Problem.from_arrays([0.5, 0.5], np.eye(2), P=0.1, perception="mmd"), "kernel="),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(rdc.InvalidInput, match=message):
        make()


def test_a_kernel_is_shown_shortly():
    shown = [repr(rdc.PerceptionLimit(0.1, "mmd", kernel=kernel)) for kernel in (0.5, np.eye(2), gaussian)]
    assert [one.split("kernel=")[1] for one in shown] == ["0.5)", "2 x 2)", "gaussian)"]
