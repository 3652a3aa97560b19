"""Problems that cannot fit in memory are refused before any work, and those that can are not."""

import importlib

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve import memory
from rdcsolve.problems import BlockLoss
from rdcsolve.solvers.room import bytes_needed, has_room

N_X, LETTERS = 1000, 200
X = np.linspace(-4, 4, N_X)
SOURCE = rdc.Source(X, np.exp(-(X**2) / 2), normalise=True)
LABELLED = rdc.Source(X, SOURCE.p_x, labels=[np.stack([X < 0, X >= 0], axis=1).astype(float)])
TABLE = 8 * N_X * LETTERS
LISTED = rdc.Problem(SOURCE, np.linspace(-3, 3, LETTERS)).with_limits(D=0.3)
FREE = rdc.Problem(SOURCE, "free").with_limits(D=0.3)
LABEL = rdc.Problem(LABELLED, np.linspace(-3, 3, LETTERS), limits=[rdc.LabelEntropyLimit(0.3)])


@pytest.fixture
def little(monkeypatch):
    """Have so many tables' bytes free, whatever the machine has."""
    monkeypatch.setattr(memory, "_WORTH_A_LOOK", 0)
    return lambda tables: monkeypatch.setattr(memory, "free_bytes", lambda: tables * TABLE)


def no_work(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("work has begun")

    monkeypatch.setattr(importlib.import_module("rdcsolve.solvers.solve")._Call, "answered_by", fail)


@pytest.mark.parametrize(
    ("problem", "solver", "tables", "told"),
    [
        (
            LISTED,
            rdc.InteriorPoint(),
            9,
            r"interior point on 1000 .*16,000,000 bytes.* solver=Col",
        ),
        (LISTED, rdc.InteriorPoint(), 5, r"interior point .*; take fewer letters"),
        (LISTED, rdc.BlahutArimoto(), 9, "Blahut-Arimoto on 1000 symbols"),
        (LISTED, rdc.ColumnGeneration(), 5, "column generation on 1000 symbols"),
        (LABEL, None, 13, "a label's entropy counts on 1000 symbols and 200 letters"),
        (FREE, None, 29, "free letters on 1000 symbols would take at least 48,000,000 bytes"),
    ],
)
def test_refused_before_any_work(problem, solver, tables, told, little, monkeypatch):
    no_work(monkeypatch)
    little(tables)
    with pytest.raises(rdc.OutOfMemory, match=told):
        rdc.solve(problem, solver)


def test_column_generation_takes_the_place_of_the_interior_point(little):
    little(8)
    dense = rdc.Problem.from_arrays(SOURCE.p_x, np.random.default_rng(0).random((N_X, LETTERS)), D=0.2)
    chosen = rdc.choose(dense)
    assert isinstance(chosen, rdc.InteriorPoint)
    assert not has_room(dense, chosen)
    assert rdc.solve(dense, tolerance=1e-3, max_steps=2).method.startswith("column generation")


def test_a_table_that_cannot_be_is_refused_where_it_is_stated(little):
    little(0.5)
    with pytest.raises(rdc.OutOfMemory, match=r"a table of 1000 x 200 losses would take at least 1,600,000 bytes"):
        rdc.Problem(SOURCE, np.linspace(-3, 3, LETTERS))
    with pytest.raises(rdc.OutOfMemory, match=r"BlockLoss"):
        rdc.Problem(SOURCE, np.linspace(-3, 3, LETTERS), lambda x, y: np.abs(x - y.T))


def test_losses_that_are_not_stored_take_little():
    block = BlockLoss("absolute", X, np.linspace(-3, 3, LETTERS))
    problem = rdc.Problem(SOURCE, np.linspace(-3, 3, LETTERS), block)
    assert bytes_needed(problem, rdc.ColumnGeneration())[0] == 0
    assert bytes_needed(problem, rdc.InteriorPoint())[0] == 10 * TABLE


@pytest.mark.parametrize("problem", [LISTED, FREE, LABEL])
def test_what_fits_is_solved(problem, little):
    little(1e6)
    assert rdc.solve(problem, tolerance=1e-2, max_steps=3).letters.size
