"""Losses that are not stored: the same problems as their tables, and clear errors."""

import pickle
import re

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import BlockLoss, Loss, LossStructure, Problem, SeparableLoss, Source, structures
from rdcsolve.problems.structures import Rows, Shifted, Table

RNG = np.random.default_rng(0)
AXES = [np.linspace(-1, 1, 4), np.array([0.0, 0.5, 2.0])]
POINTS = np.stack([axis.ravel() for axis in np.meshgrid(*AXES, indexing="ij")], axis=1)
MASSES = RNG.dirichlet(np.ones(12))


class Absolute:
    """The least that a structure of one's own says."""

    shape = (12, 12)

    def block(self, rows, letters):
        rows = slice(None) if rows is None else rows
        letters = slice(None) if letters is None else letters
        return np.abs(POINTS[rows][:, None] - POINTS[letters]).sum(axis=2)


class Forbidding(Absolute):
    def block(self, rows, letters):
        block = super().block(rows, letters)
        return np.where(block > 2.5, np.inf, block)


STRUCTURES = {
    "table": Table(RNG.random((12, 12))),
    "squared error": SeparableLoss.between("squared_error", AXES),
    "mean squared error": SeparableLoss.between("mean_squared_error", AXES),
    "absolute": SeparableLoss.between("absolute", AXES),
    "hamming": SeparableLoss.between("hamming", AXES),
    "any tables": SeparableLoss([RNG.random((4, 2)) + 1.0, RNG.random((3, 6))]),
    "three axes": SeparableLoss([RNG.random((2, 2)), RNG.random((2, 3)), RNG.random((3, 2))]),
    "blocks": BlockLoss("squared_error", POINTS, POINTS[:7]),
    "function": BlockLoss(lambda x, y: np.abs(x[:, None] - y).max(axis=2), POINTS, POINTS),
    "own": structures.structure_of(Absolute(), "loss 'own'"),
    "own, forbidding": structures.structure_of(Forbidding(), "loss 'own'"),
    "rows": Rows(SeparableLoss.between("absolute", AXES), np.array([1, 5, 7])),
    "shifted": Shifted(Table(RNG.random((5, 4)) + 1), np.full(5, 0.5)),
    "shifted, masked": Shifted(Table(RNG.random((5, 4)) + 1), np.full(5, 0.5), RNG.random((5, 4)) < 0.3),
}
SELECTIONS = [None, slice(1, 3), slice(0, 0), np.array([2, 0, 2]), np.array([], dtype=np.intp)]


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_block_is_that_of_the_whole(name):
    structure = STRUCTURES[name]
    whole = structure.block()
    assert whole.shape == structure.shape
    for rows in SELECTIONS:
        for letters in SELECTIONS:
            every = slice(None)
            expected = whole[every if rows is None else rows][:, every if letters is None else letters]
            assert np.array_equal(structure.block(rows, letters), expected)


@pytest.mark.parametrize("pairs", [1, 20, 10**6])
@pytest.mark.parametrize("name", STRUCTURES)
def test_what_follows_from_blocks_is_that_of_the_table(name, pairs, monkeypatch):
    monkeypatch.setattr(structures.row_blocks, "__defaults__", (pairs,))
    structure, table = STRUCTURES[name], Table(STRUCTURES[name].block().copy())
    n = structure.shape[0]
    mask = np.random.default_rng(1).random(structure.shape) < 0.4
    mask[:, 0] = False
    for forbidden in (None, mask):
        allowed = np.where(False if forbidden is None else forbidden, np.inf, table.matrix)
        assert np.allclose(structure.row_minima(None, forbidden), allowed.min(axis=1), rtol=1e-15, atol=1e-15)
        finite = np.where(np.isinf(allowed), -np.inf, allowed)
        expected = (finite.max(axis=1) - allowed.min(axis=1))[np.isfinite(allowed).any(axis=1)].max()
        assert structure.spread(None, forbidden) == pytest.approx(expected, rel=1e-14)
    assert structure.forbids == bool(np.isinf(table.matrix).any())
    assert np.allclose(structure.row_minima(np.array([n - 1, 0])), table.matrix.min(axis=1)[[n - 1, 0]], atol=1e-15)
    if not structure.forbids:
        weights = np.linspace(-1, 2, n)
        assert np.allclose(structure.weighted_sum(weights), weights @ table.matrix, rtol=1e-13, atol=1e-13)
    some = np.array([2, 0])
    assert np.array_equal(structure.at_rows(some).block(), table.matrix[some])
    assert structure.at_rows(np.arange(n)) is structure


def test_a_separable_loss_less_its_minima():
    loss = STRUCTURES["any tables"]
    lowered, minima = loss.less_row_minima()
    assert np.allclose(minima, loss.block().min(axis=1), rtol=1e-15)
    assert np.allclose(lowered.block(), loss.block() - minima[:, None], atol=1e-15)
    assert not lowered.block().min(axis=1).any()
    squared = STRUCTURES["squared error"]
    assert squared.less_row_minima()[0] is squared


# ------------------------------------------------------------------------------------- problems


def grid_source(**options):
    return Source(None, MASSES, axes=AXES, **options)


@pytest.mark.parametrize("distortion", ["squared_error", "mean_squared_error", "absolute", "hamming"])
def test_named_distortions_on_a_grid_are_not_stored(distortion):
    source = grid_source()
    assert np.array_equal(source.points, POINTS)
    problem = Problem(source, distortion=distortion, limits=[rdc.LossLimit(0.4, "hamming", "other")])
    assert not any(loss.is_stored for loss in problem.losses)
    stored = Problem(Source(POINTS, MASSES), distortion=distortion, limits=[rdc.LossLimit(0.4, "hamming", "other")])
    assert all(loss.is_stored for loss in stored.losses)
    for mine, theirs in zip(problem.losses, stored.losses, strict=True):
        assert np.allclose(mine.matrix, theirs.matrix, rtol=1e-15, atol=0)
    assert np.array_equal(problem.reproduction, POINTS)


def test_a_loss_that_is_not_stored_has_the_fingerprint_of_its_table():
    structured = Problem(grid_source(), distortion=STRUCTURES["absolute"])
    table = Problem(grid_source(), distortion=STRUCTURES["absolute"].block())
    assert structured.fingerprint() == table.fingerprint()
    assert (
        Problem(grid_source(), distortion=Absolute()).fingerprint()
        == Problem(grid_source(), distortion=Absolute().block(None, None)).fingerprint()
    )


def test_beyond_the_size_of_tables_a_digest_of_its_own_counts(monkeypatch):
    monkeypatch.setattr("rdcsolve.problems.losses.TABLE_BYTES", 100)
    one, same, other = (
        Problem(grid_source(), distortion=SeparableLoss([scale * RNG_TABLE, RNG_TABLE[:3, :3]]))
        for scale in (1.0, 1.0, 2.0)
    )
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()
    with pytest.raises(InvalidInput, match=r"loss 'distortion' is not stored, .* 12 x 12 entries, .* ColumnGeneration"):
        one.losses[0].matrix  # noqa: B018
    assert one.losses[0].block(slice(0, 1)).shape == (1, 12)


RNG_TABLE = np.random.default_rng(7).random((4, 4))


def test_structures_are_taken_wherever_a_loss_is():
    problem = Problem(
        grid_source(),
        distortion=Absolute(),
        limits=[
            rdc.DistortionLimit(0.5),
            rdc.DistortionLimit(0.6, Absolute(), name="again"),
            rdc.LossLimit(0.9, SeparableLoss.between("squared_error", AXES), "square"),
        ],
    )
    assert [loss.name for loss in problem.losses] == ["distortion", "again", "square"]
    assert problem.bounds.tolist() == [0.5, 0.6, 0.9]
    assert np.array_equal(problem.reproduction, POINTS)
    assert repr(problem.losses[2]) == "Loss('square', SeparableLoss(4 x 3 symbols, 4 x 3 letters))"
    assert repr(problem.losses[0]) == "Loss('distortion', Absolute(12 x 12))"
    assert "SeparableLoss" in repr(rdc.LossLimit(0.9, SeparableLoss.between("absolute", AXES), "square"))


def test_a_structure_that_forbids_masks_its_pairs():
    problem = Problem(grid_source(), distortion=Forbidding())
    assert np.array_equal(problem.forbidden, np.isinf(Forbidding().block(None, None)))


def test_a_loss_cannot_be_changed_and_travels():
    loss = Loss("d", SeparableLoss.between("absolute", AXES))
    with pytest.raises(AttributeError, match="cannot be changed"):
        loss.name = "other"
    again = pickle.loads(pickle.dumps(loss))
    assert again.name == "d"
    assert np.array_equal(again.matrix, loss.matrix)
    stored = pickle.loads(pickle.dumps(Loss("d", [[1.0, 2.0]])))
    assert stored.matrix.tolist() == [[1.0, 2.0]]


# ------------------------------------------------------------------------------------- errors


class NoShape:
    def block(self, rows, letters):
        return np.zeros((1, 1))


class NoMethod:
    shape = (12, 12)
    block = np.zeros((12, 12))


class Odd(Absolute):
    def __init__(self, shape=(12, 12), block=None):
        self.shape, self.given = shape, block

    def block(self, rows, letters):
        return super().block(rows, letters) if self.given is None else self.given


class Word(Absolute):
    """What a structure says itself is taken."""

    forbids = False

    def row_minima(self):
        return np.zeros(12)

    def spread(self):
        return 5.0

    def digest(self):
        return b"word"


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        (NoShape(), "loss 'distortion' is a NoShape without shape = (n_x, n_letters); a loss structure has shape and"),
        (NoMethod(), "is a NoMethod without a method block(rows, letters)"),
        (Odd(shape=(12,)), "shape is (12,); give two positive integers"),
        (Odd(shape=(12, 0)), "shape is (12, 0); give two positive integers"),
        (Odd(block=np.zeros((2, 12))), "has shape (2, 12) for 1 rows and 12 letters"),
        (Odd(block=np.full((1, 12), -np.inf)), "block(rows, letters)[0, 0] is -inf; losses are real numbers"),
        (Odd(block=np.full((1, 12), np.nan)), "is nan; losses are real numbers"),
        (Odd(block=[["a"] * 12]), "convert them to real numbers"),
        (SeparableLoss([np.zeros((3, 3))]), "loss 'distortion' has 3 rows but the source has 12 symbols"),
    ],
)
def test_a_structure_that_is_none_is_told_what_it_lacks(structure, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        Problem(grid_source(), distortion=structure)


def test_what_a_structure_says_itself_is_taken():
    problem = Problem(grid_source(), distortion=Word())
    assert problem.spread(0) == 5.0
    assert problem.losses[0].structure.digest() == b"word"
    assert not problem.row_minima(0).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SeparableLoss([]), "tables is []; give one matrix"),
        (lambda: SeparableLoss(np.zeros((2, 2))), "give one matrix (n_d, k_d) per axis"),
        (lambda: SeparableLoss([[[0.0, np.inf]]]), "a separable loss forbids no pair"),
        (lambda: SeparableLoss([[[0.0, np.nan]]]), "the table of axis 0[0, 1] is nan"),
        (lambda: SeparableLoss.between("square", AXES), "unknown distortion 'square'"),
        (lambda: SeparableLoss.between("absolute", AXES, AXES[:1]), "there are 2 axes of symbols but 1 of letters"),
        (lambda: BlockLoss(np.zeros((2, 2)), POINTS, POINTS), "a matrix needs no blocks"),
        (lambda: BlockLoss("absolute", POINTS, [1.0]), "make the dimensions equal"),
        (lambda: BlockLoss("abs", POINTS, POINTS), "unknown distortion 'abs'"),
        (lambda: Source(POINTS, MASSES, axes=AXES), "points and axes are both given"),
        (lambda: Source(None, MASSES, axes=AXES[:1]), "the axes span a grid of 4 = 4 points but there are 12 masses"),
        (lambda: Source(None, MASSES, axes=[np.zeros((2, 2)), [0.0]]), "axis 0 has shape (2, 2)"),
        (lambda: Source(None, MASSES, axes=3.0), "axes is 3.0; give a list with one array of coordinates"),
        (lambda: Source(None, MASSES, axes=[[0.0, np.nan]]), "points must be finite"),
    ],
)
def test_bad_statements_are_told(make, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        make()


def test_the_base_class_needs_blocks():
    with pytest.raises(TypeError, match="abstract"):
        LossStructure()
