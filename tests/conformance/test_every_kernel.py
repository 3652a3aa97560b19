"""Every kernel passes the suite; what is wrong with a kernel, the suite tells in a sentence."""

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.kernels import (
    BlockKernel,
    DenseKernel,
    GridKernel,
    LineKernel,
    LowRankKernel,
    ReferenceKernel,
    make_kernel,
)
from rdcsolve.problems import BlockLoss, LineLoss, SeparableLoss
from rdcsolve.problems.grid_points import GridTable
from rdcsolve.problems.structures import Rows, Shifted, Table
from rdcsolve.testing import check_kernel

RNG = np.random.default_rng(0)
LINE = np.linspace(-1, 2, 7)
SQUARE = SeparableLoss.between("squared_error", [LINE, np.array([0.0, 0.3, 1.0, 1.1])])
TABLES = SeparableLoss([RNG.random((7, 7)), RNG.random((4, 4))])
EVEN = SeparableLoss.between("squared_error", [LINE, LINE[:4]])
CUBE = SeparableLoss([RNG.random((3, 2)), RNG.random((2, 3)), RNG.random((4, 4))])
SOME = np.array([0, 2, 3, 9, 20, 27])
MASK = RNG.random((28, 28)) < 0.3
MASK[:, 3] = False
HALF = MASK & (np.arange(28) < 14)[:, None]
EVENLY = LineLoss("squared_error", np.linspace(-1, 2, 40))
EVENLY_28 = LineLoss("squared_error", np.linspace(-1, 2, 28))
UNEVEN = LineLoss("squared_error", np.sort(RNG.random(30)), np.sort(RNG.random(12)))
DISTANCES = LineLoss("absolute", np.sort(RNG.random(28)))
APART = LineLoss("absolute", np.sort(RNG.random(30)), np.sort(RNG.random(12)))
POINTS = RNG.standard_normal((20, 3))
BLOCKS = BlockLoss("absolute", POINTS, POINTS[:9])


class Circulant:
    """A loss on a ring, and its kernel by the Fourier transform."""

    def __init__(self, costs):
        self.costs = np.asarray(costs, dtype=float)
        self.shape = (self.costs.size, self.costs.size)

    def block(self, rows, letters):
        places = np.arange(self.costs.size)
        rows, letters = (places if some is None else places[some] for some in (rows, letters))
        return self.costs[(rows[:, None] - letters) % self.costs.size]

    def kernel(self, multiplier):
        return Ring(self, multiplier)


class Ring(BlockKernel):
    def __init__(self, loss, multiplier):
        super().__init__([loss], np.array([multiplier]), log_scale=np.zeros(loss.shape[0]))
        self.relative_error = np.inf
        self.spectrum = np.fft.rfft(np.exp(-multiplier * loss.costs))

    def matvec(self, q):
        return np.fft.irfft(np.fft.rfft(q) * self.spectrum, q.size)

    def rmatvec(self, weights):
        return np.fft.irfft(np.fft.rfft(weights) * self.spectrum.conj(), weights.size)


RING = Circulant(RNG.random(16) * (np.arange(16) > 0))
OWN = rdc.problems.Loss("ring", RING).structure
ONE, TWO = np.array([2.0]), np.array([2.0, 0.7])
ORDER, LETTERS = np.random.default_rng(1).permutation(28), np.random.default_rng(2).permutation(28)


def listed(loss, rows=ORDER, letters=LETTERS):
    return GridTable(loss.block(rows, letters), loss, rows, letters)


smooth = DenseKernel([np.subtract.outer(np.linspace(0, 1, 60), np.linspace(0, 1, 50)) ** 2], np.array([3.0]))

KERNELS = {
    "dense": DenseKernel([TABLES.block(), SQUARE.block()], TWO),
    "dense, masked": DenseKernel([TABLES.block()], ONE, MASK),
    "dense, multiplier zero": DenseKernel([TABLES.block(), SQUARE.block()], np.array([0.0, 3.0])),
    "dense, large": DenseKernel([TABLES.block() + 5.0], np.array([300.0])),
    "blocks": BlockKernel([BLOCKS], ONE),
    "blocks, two losses": BlockKernel([BLOCKS, Table(RNG.random((20, 9)))], TWO),
    "blocks, masked": BlockKernel([TABLES], ONE, MASK),
    "blocks, shifted": BlockKernel([Shifted(TABLES, TABLES.row_minima(None, HALF), HALF)], ONE, HALF),
    "grid": GridKernel([SQUARE], ONE),
    "grid, two losses": GridKernel([SQUARE, TABLES], TWO),
    "grid, one counts": GridKernel([SQUARE, TABLES], np.array([0.0, 4.0])),
    "grid, midpoints": GridKernel([EVEN], ONE),
    "grid, midpoints, some rows": GridKernel([Rows(EVEN, SOME)], ONE),
    "grid, some rows": GridKernel([Rows(TABLES, SOME), Rows(SQUARE, SOME)], TWO),
    "grid, listed": GridKernel([listed(SQUARE), listed(TABLES)], TWO),
    "grid, listed, midpoints, some rows": GridKernel([listed(EVEN, ORDER[:9])], ONE),
    "grid, listed, one counts": GridKernel([Table(RNG.random((28, 28))), listed(TABLES)], np.array([0.0, 4.0])),
    "grid, three axes": GridKernel([CUBE], np.array([5.0])),
    "grid beside a table that does not count": GridKernel([TABLES, Table(RNG.random((28, 28)))], np.array([1.0, 0.0])),
    "grid, large": GridKernel([TABLES], np.array([300.0])),
    "thin factors": LowRankKernel(smooth),
    "thin factors of a grid": LowRankKernel(
        GridKernel([SeparableLoss.between("squared_error", [np.linspace(0, 0.1, 9)] * 2)], ONE)
    ),
    "line, squares": LineKernel([EVENLY], ONE),
    "line, squares, large": LineKernel([EVENLY], np.array([700.0])),
    "line, squares, letters of their own": LineKernel([Shifted(UNEVEN, UNEVEN.row_minima())], ONE),
    "line, squares, one counts": LineKernel([DISTANCES, EVENLY_28], np.array([0.0, 3.0])),
    "line, distances": LineKernel([DISTANCES], ONE),
    "line, distances, large": LineKernel([DISTANCES], np.array([300.0])),
    "line, distances, some rows": LineKernel([Rows(DISTANCES, SOME)], TWO[1:]),
    "line, distances, letters of their own": LineKernel([Shifted(APART, APART.row_minima())], ONE),
    "own": Ring(RING, 1.5),
    "own, some rows, shifted": make_kernel([Shifted(Rows(OWN, np.array([1, 4, 5])), np.full(3, 0.0))], ONE),
    "own beside a table that does not count": make_kernel([OWN, Table(RNG.random((16, 16)))], np.array([1.5, 0.0])),
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", KERNELS)
def test_kernel_is_the_definition(name, seed, monkeypatch):
    kernel = KERNELS[name]
    reference = None
    if name.startswith("thin"):
        exact = kernel.exact
        losses = [loss if isinstance(loss, np.ndarray) else loss.block() for loss in exact.losses]
        reference = ReferenceKernel(np.array(losses), np.array([3.0]) if name == "thin factors" else ONE)
    if seed:
        from rdcsolve.problems import structures

        monkeypatch.setattr(structures.row_blocks, "__defaults__", (40,))  # many blocks
    check_kernel(kernel, reference, seed=seed)


def test_kinds_are_as_named():
    for name, kernel in KERNELS.items():
        if name.startswith("grid"):
            assert (kernel._midpoints is not None) == ("midpoints" in name)


@pytest.mark.parametrize(
    ("losses", "multipliers", "forbidden", "letters", "kind"),
    [
        ([TABLES.block()], ONE, None, None, DenseKernel),
        ([Table(TABLES.block())], ONE, MASK, None, DenseKernel),
        ([TABLES], ONE, None, None, GridKernel),
        ([TABLES, SQUARE], TWO, None, None, GridKernel),
        ([Rows(TABLES, SOME), Rows(SQUARE, SOME)], TWO, None, None, GridKernel),
        ([Rows(TABLES, SOME), Rows(SQUARE, SOME + 0)], TWO, None, None, GridKernel),
        ([TABLES], ONE, None, np.array([1, 5]), DenseKernel),
        ([TABLES], ONE, MASK, None, BlockKernel),
        ([TABLES, Table(SQUARE.block())], TWO, None, None, BlockKernel),
        ([TABLES, Table(SQUARE.block())], np.array([1.0, 0.0]), None, None, GridKernel),
        ([TABLES, EVEN], TWO, None, None, GridKernel),
        ([listed(TABLES), listed(EVEN)], TWO, None, None, GridKernel),
        ([listed(TABLES), listed(EVEN, LETTERS)], TWO, None, None, DenseKernel),
        ([listed(TABLES), listed(EVEN, letters=ORDER)], TWO, None, None, DenseKernel),
        ([listed(TABLES), Table(TABLES.block())], TWO, None, None, DenseKernel),
        ([listed(TABLES)], ONE, MASK, None, DenseKernel),
        ([listed(TABLES)], ONE, None, np.array([1, 5]), DenseKernel),
        ([listed(TABLES)], np.zeros(1), None, None, DenseKernel),
        ([TABLES, SeparableLoss([TABLES.block()])], TWO, None, None, BlockKernel),  # other axes
        ([BLOCKS], ONE, None, None, BlockKernel),
        ([DISTANCES], ONE, None, None, LineKernel),
        ([DISTANCES, TABLES], np.array([1.0, 0.0]), None, None, LineKernel),
        ([DISTANCES, TABLES], TWO, None, None, BlockKernel),
        ([DISTANCES], ONE, MASK, None, BlockKernel),
        ([EVENLY], ONE, None, None, DenseKernel),  # as small as that a table is faster
        ([LineLoss("squared_error", np.linspace(-1, 2, 1100))], ONE, None, None, LineKernel),
        ([LineLoss("squared_error", np.linspace(-1, 2, 1100))], np.array([1e9]), None, None, BlockKernel),
    ],
)
def test_the_maker_goes_by_what_is_known_of_the_losses(losses, multipliers, forbidden, letters, kind):
    kernel = make_kernel(losses, multipliers, forbidden, letters)
    assert type(kernel) is kind
    assert kernel.shape[1] == (losses[0].shape[1] if letters is None else letters.size)


def test_the_maker_asks_a_structure_for_its_own_kernel():
    kernel = make_kernel([OWN], ONE)
    assert isinstance(kernel.own, Ring)
    assert kernel.relative_error == np.inf
    assert type(make_kernel([OWN, OWN], TWO)) is BlockKernel  # it knows nothing of products of kernels


# ------------------------------------------------------------------------------------- what is wrong is told


class Faulty(BlockKernel):
    """A kernel with one fault."""

    def __init__(self, **faults):
        super().__init__([BLOCKS, Table(np.random.default_rng(3).random((20, 9)))], TWO)
        for name, value in faults.items():
            setattr(self, name, value(self) if callable(value) else value)


def scaled(operation, factor):
    return lambda kernel: lambda *arguments: factor * getattr(BlockKernel, operation)(kernel, *arguments)


def writes(kernel):
    def matvec(q):
        q[0] = 0.0
        return BlockKernel.matvec(kernel, q)

    return matvec


def restless(kernel):
    rng = np.random.default_rng(0)
    return lambda q: BlockKernel.matvec(kernel, q) * (1 + 1e-16 * rng.integers(0, 9))


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"matvec": scaled("matvec", 1 + 1e-9)}, r"matvec: entry 0 is .* but the definition gives"),
        ({"rmatvec": scaled("rmatvec", 1 - 1e-9)}, r"rmatvec: entry 0 is"),
        ({"rmatvec": scaled("rmatvec", 1 + 1e-6), "relative_error": 1e-5}, r"rmatvec of a signed vector: entry"),
        ({"columns": scaled("columns", 1 + 1e-6)}, r"columns\(\): entry 0, 0"),
        ({"gram": scaled("gram", 2.0)}, r"gram\(weights\): entry 0, 0"),
        ({"loss_matvec": scaled("loss_matvec", 1.001)}, r"loss_matvec\(0, q\): entry 0"),
        ({"loss_rmatvec": scaled("loss_rmatvec", 1.001)}, r"loss_rmatvec\(0, weights\): entry 0"),
        ({"second": scaled("second", 1.001)}, r"second\(0, 0, q\): entry 0"),
        ({"moments": lambda k: lambda q, m: tuple(2 * x for x in BlockKernel.moments(k, q, m))}, "t of moments"),
        ({"step": lambda k: lambda p, q, t, c: None}, "t of step: entry 0 is nan"),
        ({"matvec": writes}, "matvec changes the vector it is given; copy it first"),
        ({"matvec": restless}, "matvec gives another answer the second time"),
        ({"matvec": lambda k: lambda q: BlockKernel.matvec(k, q).astype("f4")}, "matvec returns float32, but dtype is"),
        ({"matvec": lambda k: lambda q: BlockKernel.matvec(k, q)[:-1]}, r"matvec has shape \(19,\); it should be"),
        ({"log_scale": np.zeros(3)}, r"log_scale has shape \(3,\); give one number per row"),
        ({"log_scale": np.full(20, np.inf)}, "log_scale has an entry that is not finite"),
        ({"log_scale": np.full(20, -20.0)}, r"row \d+ has an entry .* above one; raise log_scale"),
        ({"log_scale": np.full(20, 20.0)}, r"the largest entry of row \d+ is .* lower log_scale"),
        ({"dtype": np.dtype(int)}, "dtype is int64"),
        ({"relative_error": np.nan}, "relative_error is nan"),
    ],
)
def test_each_fault_is_told(faults, message):
    with pytest.raises(AssertionError, match=message):
        check_kernel(Faulty(**faults))


def test_a_kernel_without_operations_is_told_which():
    class Bare:
        shape, log_scale = (2, 2), np.zeros(2)

    with pytest.raises(
        AssertionError, match=r"lacks dtype, relative_error, matvec.*rdcsolve\.kernels\.BlockKernel has"
    ):
        check_kernel(Bare())


def _without_losses():
    kernel = DenseKernel([np.zeros((2, 2))], ONE)
    del kernel.losses, kernel.multipliers
    return kernel


def test_what_there_is_to_compare_with():
    with pytest.raises(AssertionError, match="has no losses and multipliers to compare with; pass reference="):
        check_kernel(_without_losses())
    with pytest.raises(AssertionError, match=r"shape is \(2, 2\) but the losses are \(3, 3\)"):
        check_kernel(DenseKernel([np.zeros((2, 2))], ONE), ReferenceKernel(np.zeros((1, 3, 3)), ONE))
    with pytest.raises(AssertionError, match="check a small one"):
        check_kernel(GridKernel([SeparableLoss.between("absolute", [np.arange(20.0)] * 2)], ONE))
