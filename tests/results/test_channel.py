"""Channels whose rows are made on demand: the numbers of the array they stand for."""

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve import information
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import structures
from rdcsolve.results import Channel

RNG = np.random.default_rng(0)
P = np.r_[0.0, RNG.dirichlet(np.ones(6))]
D = RNG.random((7, 5))
D[2, 1] = D[0, :] = np.inf
OTHER = RNG.random((7, 5)) + 3.0
LABEL = RNG.dirichlet(np.ones(3), size=7)
LETTERS = np.array([0, 1, 4])
Q = np.array([0.2, 0.5, 0.3])
LAMBDA = np.array([2.0, 1.5])


def problem(offset=0.0):
    source = rdc.Source(None, P, labels=[LABEL])
    return rdc.Problem(source, distortion=D, limits=[rdc.LossLimit(np.inf, OTHER + offset, "other")])


def expected():
    rows = Q * np.exp(-2.0 * D[:, LETTERS] - 1.5 * OTHER[:, LETTERS])
    rows[0] = Q  # a symbol of mass zero that may use nothing
    return rows / rows.sum(axis=1, keepdims=True)


@pytest.fixture(params=[1, 4, 10**6], autouse=True)
def _pairs_at_a_time(request, monkeypatch):
    monkeypatch.setattr(structures.row_blocks, "__defaults__", (request.param,))


@pytest.mark.parametrize("symbols", [None, slice(1, 4), np.array([5, 0])])
def test_rows(symbols):
    channel = Channel(problem(), LETTERS, Q, LAMBDA)
    every = slice(None) if symbols is None else symbols
    assert channel.shape == (7, 3)
    np.testing.assert_allclose(channel.rows(symbols), expected()[every], rtol=1e-13)


def test_numbers_are_those_of_the_array():
    channel, rows = Channel(problem(), LETTERS, Q, LAMBDA), expected()
    assert channel.output_law() == pytest.approx(P @ rows, rel=1e-13)
    assert channel.rate() == pytest.approx(information.mutual_information(P, rows), rel=1e-12)
    used = np.where(rows > 0, D[:, LETTERS], 0.0)
    used[0] = 0.0
    assert channel.mean_loss(0) == pytest.approx(P @ (rows * used).sum(axis=1), rel=1e-13)
    assert channel.mean_loss(1) == pytest.approx(P @ (rows * OTHER[:, LETTERS]).sum(axis=1), rel=1e-13)
    joint = (P[:, None] * rows).T @ LABEL
    np.testing.assert_allclose(channel.posterior(0), joint / joint.sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(np.asarray(channel), rows, rtol=1e-13)
    assert repr(channel) == "Channel(7 symbols, 3 letters, rows on demand)"


def test_a_constant_in_a_loss_changes_no_row():
    shifted = Channel(problem(2.0**40), LETTERS, Q, LAMBDA)
    exact = OTHER + 2.0**40 - 2.0**40  # what the stored floats are
    rows = Q * np.exp(-2.0 * D[:, LETTERS] - 1.5 * exact[:, LETTERS])
    rows[0] = Q
    np.testing.assert_allclose(shifted.rows(), rows / rows.sum(axis=1, keepdims=True), rtol=1e-12)


def test_a_channel_that_is_too_large_is_not_turned_into_an_array(monkeypatch):
    monkeypatch.setattr("rdcsolve.results.channel.TABLE_BYTES", 100)
    channel = Channel(problem(), LETTERS, Q, LAMBDA)
    with pytest.raises(InvalidInput, match=r"7 x 3 entries, 0 MB, and is not stored; ask for some of its rows"):
        np.asarray(channel)
