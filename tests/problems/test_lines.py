"""Losses between points of a line: the table, without the table."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import LineLoss, distortion_matrix
from rdcsolve.problems.storage import arrays_of, problem_of

places = st.lists(st.floats(-100, 100), min_size=1, max_size=12, unique=True).map(lambda some: np.sort(some) + 0.0)
kinds = st.sampled_from(["squared_error", "absolute"])


@given(kinds, places, places)
def test_all_that_is_said_without_the_table_is_so(kind, x, y):
    loss, table = LineLoss(kind, x, y), distortion_matrix(kind, x, y)
    weights = np.linspace(0, 1, x.size)
    assert np.array_equal(loss.block(), table)
    assert np.array_equal(loss.row_minima(), table.min(axis=1))
    assert loss.spread() == (table.max(axis=1) - table.min(axis=1)).max()
    np.testing.assert_allclose(loss.weighted_sum(weights), weights @ table, atol=1e-9)
    assert np.array_equal(loss.coarser(2).block(), table[::2, ::2])


def test_points_that_are_not_in_order_are_told():
    with pytest.raises(InvalidInput, match="points is 2 and then 1 at place 1; a LineLoss takes points in increasing"):
        LineLoss("absolute", [0.0, 2.0, 1.0])
    with pytest.raises(InvalidInput, match="unknown distortion 'hamming'"):
        LineLoss("hamming", [0.0, 1.0])


def test_a_long_line_is_not_stored_and_a_short_one_is():
    def loss(n, kind):
        line = np.linspace(0, 1, n)
        return rdc.Problem(rdc.sources.grid(np.ones(n), [line]), distortion=kind).losses[0]

    assert isinstance(loss(4096, "squared_error").structure, LineLoss)
    assert isinstance(loss(512, "absolute").structure, LineLoss)
    assert loss(511, "absolute").is_stored
    assert loss(600, "squared_error").is_stored


@pytest.mark.parametrize("letters", [None, np.array([0.5, 2.5])])
def test_files_keep_the_places_alone(tmp_path, letters):
    loss = LineLoss("absolute", np.arange(4.0), letters)
    problem = rdc.Problem.from_arrays(np.full(4, 0.25), loss, D=0.4)
    result = rdc.solve(problem)
    result.save(tmp_path / "result.npz")
    again = problem_of(arrays_of(problem), "it")
    assert isinstance(again.losses[0].structure, LineLoss)
    assert again.fingerprint() == problem.fingerprint()
    assert rdc.load(tmp_path / "result.npz").verify(again).valid
