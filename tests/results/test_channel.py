"""Channels whose rows are made on demand: the numbers of the array they stand for."""

import dataclasses

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve import files, information
from rdcsolve.errors import InvalidInput, UnreadableFile
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


# ------------------------------------------------------------------------------------- files


def on_demand(monkeypatch, limits):
    """A problem on a grid, and its result with rows on demand."""
    monkeypatch.setattr("rdcsolve.solvers.finite.recovery.DENSE_CHANNEL_BYTES", 100)
    line = np.linspace(-2, 2, 8)
    problem = rdc.Problem(rdc.sources.grid(np.outer(np.arange(1, 9), np.ones(8)), [line, line]))
    problem = problem.with_limits(**limits) if "D" in limits else problem.at_multipliers(**limits)
    result = rdc.solve(problem, rdc.ColumnGeneration(), tolerance=1e-7)
    assert isinstance(result.channel, Channel)
    return problem, result


@pytest.mark.parametrize("limits", [{"D": 0.5}, {"distortion": 1.0}])
def test_a_file_holds_masses_and_multipliers_in_place_of_rows(monkeypatch, tmp_path, limits):
    problem, result = on_demand(monkeypatch, limits)
    result.save(tmp_path / "result.npz")
    with np.load(tmp_path / "result.npz") as archive:
        assert not {"channel", "certificate_channel"} & set(archive.files)
        assert max(archive[name].size for name in archive.files if name != "header") <= problem.n_x
    again = rdc.load(tmp_path / "result.npz")
    assert again.verify(problem).valid
    assert again.certificate.verify(problem, "ball" if limits == {"distortion": 1.0} else "float").valid
    assert again.channel.shape == result.channel.shape
    assert np.array_equal(np.asarray(again.channel.of(problem)), np.asarray(result.channel))
    with pytest.raises(InvalidInput, match=r"comes from a file, .* use result.channel.of\(problem\)"):
        again.channel.rows()
    again.save(tmp_path / "twice.npz")
    assert rdc.load(tmp_path / "twice.npz").verify(problem).valid
    larger = dataclasses.replace(again, rate_upper=again.rate_upper - 1e-9)
    assert not larger.verify(problem).valid


def test_a_channel_of_another_problem_is_refused(monkeypatch, tmp_path):
    _, result = on_demand(monkeypatch, {"distortion": 1.0})
    result.save(tmp_path / "result.npz")
    channel = rdc.load(tmp_path / "result.npz").channel
    with pytest.raises(InvalidInput, match="the channel has 64 symbols and 1 losses, the problem 2 and 1"):
        channel.of(rdc.Problem.from_arrays([0.5, 0.5], np.eye(2), D=0.1))
    few = rdc.Problem.from_arrays(np.full(64, 1 / 64), np.ones((64, 3)), D=1.0)
    with pytest.raises(InvalidInput, match="uses letter .* but the problem has 3 letters"):
        channel.of(few)


def test_masses_that_are_none_are_unreadable(monkeypatch, tmp_path):
    _, result = on_demand(monkeypatch, {"distortion": 1.0})
    path = tmp_path / "result.npz"
    result.save(path)
    header, arrays = files.read(path)
    for name, values, message in [
        ("channel_masses", arrays["channel_masses"][1:], "masses for"),
        ("channel_masses", -arrays["channel_masses"], "not all positive"),
        ("channel_multipliers", np.array([np.nan]), "not all finite"),
    ]:
        files.write(path, header, arrays | {name: values})
        with pytest.raises(UnreadableFile, match=message):
            rdc.load(path)


def test_rounding_of_rows_made_again_is_allowed_for(monkeypatch):
    """On another machine exponentials may be rounded otherwise, and claims have to follow there too."""
    problem, result = on_demand(monkeypatch, {"distortion": 1.0})
    own = Channel.rows

    def otherwise(self, symbols=None):
        rows = own(self, symbols)
        rows = rows * (1 + 2.0**-52 * np.random.default_rng(0).integers(-2, 3, rows.shape))
        return rows / rows.sum(axis=1, keepdims=True)

    monkeypatch.setattr(Channel, "rows", otherwise)
    assert result.verify(problem).valid
