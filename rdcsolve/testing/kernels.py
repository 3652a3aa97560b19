"""Whether a kernel is the linear operator that it says it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rdcsolve.kernels import reference as twin
from rdcsolve.kernels.blocks import as_structure
from rdcsolve.kernels.reference import ReferenceKernel
from rdcsolve.testing.evaluation import require

_MOST_PAIRS = 20_000  # the twin loops over pairs
_LEAST_LARGEST = 1e-3  # entry of a row: rows scaled to less lose range for nothing


def check_kernel(
    kernel: Any, reference: ReferenceKernel | None = None, *, tolerance: float = 1e-9, seed: int = 0
) -> None:
    """Check every operation of a kernel against the definition, on random vectors.

    Parameters
    ----------
    kernel : Kernel
        Small: at most 20,000 pairs of symbol and letter.
    reference : ReferenceKernel, optional
        The definition. By default that of the kernel's own ``losses``, ``multipliers`` and ``forbidden``.
    tolerance : float, optional
        What an entry may be off by, relative to the largest entry of the answer, where the kernel's own
        ``relative_error`` is infinite. A finite one is checked, entry by entry, for non-negative vectors.
    seed : int, optional

    Raises
    ------
    AssertionError
        With a sentence: which operation, at which entry, and the two numbers.

    Examples
    --------
    >>> from rdcsolve.kernels import DenseKernel
    >>> check_kernel(DenseKernel([np.array([[0.0, 1.0], [2.0, 0.5]])], np.array([3.0])))
    """
    _check_attributes(kernel)
    reference = _reference_of(kernel) if reference is None else reference
    n, k = kernel.shape
    require(reference.shape == (n, k), f"shape is {(n, k)} but the losses are {reference.shape}")
    require(n * k <= _MOST_PAIRS, f"the kernel has {n * k} pairs; check a small one, of at most {_MOST_PAIRS}")
    checker = _Checker(kernel, reference, tolerance, np.random.default_rng(seed))
    checker.rows()
    checker.products()
    checker.columns_and_gram()
    checker.losses()
    checker.step()


def _check_attributes(kernel: Any) -> None:
    needed = ("shape", "log_scale", "dtype", "relative_error")
    operations = ("matvec", "rmatvec", "columns", "gram", "loss_matvec", "loss_rmatvec", "second", "moments", "step")
    missing = [name for name in (*needed, *operations) if not hasattr(kernel, name)]
    require(not missing, f"the kernel lacks {', '.join(missing)}; rdcsolve.kernels.BlockKernel has them to inherit")
    scale = np.asarray(kernel.log_scale)
    require(scale.shape == (kernel.shape[0],), f"log_scale has shape {scale.shape}; give one number per row")
    require(np.isfinite(scale).all(), "log_scale has an entry that is not finite")
    require(np.dtype(kernel.dtype).kind == "f", f"dtype is {kernel.dtype}; a kernel's vectors hold real numbers")
    require(kernel.relative_error >= 0, f"relative_error is {kernel.relative_error}; give a number >= 0, or inf")


def _reference_of(kernel: Any) -> ReferenceKernel:
    missing = [name for name in ("losses", "multipliers") if not hasattr(kernel, name)]
    require(
        not missing,
        f"the kernel has no {' and '.join(missing)} to compare with; pass reference=ReferenceKernel(losses, ...)",
    )
    stacked = np.array([as_structure(loss, m).block() for m, loss in enumerate(kernel.losses)])
    return ReferenceKernel(stacked, np.asarray(kernel.multipliers), getattr(kernel, "forbidden", None))


class _Checker:
    def __init__(self, kernel: Any, reference: ReferenceKernel, tolerance: float, rng: np.random.Generator) -> None:
        self.kernel, self.reference, self.tolerance = kernel, reference, tolerance
        self.matrix = reference.entries(kernel.log_scale)
        n, k = kernel.shape
        self.q = rng.dirichlet(np.ones(k)) * (rng.random(k) < 0.8)
        self.weights = rng.random(n) * (rng.random(n) < 0.8)
        self.q[0], self.weights[0] = 0.5, 0.5
        self.signed = rng.standard_normal(k), rng.standard_normal(n)
        self.letters = rng.permutation(k)[: max(1, k // 2)]
        self.masses = rng.dirichlet(np.ones(n))

    def rows(self) -> None:
        """Check that rows are scaled into [0, 1]."""
        columns = np.asarray(self.kernel.columns())
        self._compare("columns()", columns, self.matrix)
        largest = columns.max(axis=1)
        allowed = self.matrix.max(axis=1) > 0
        worst = int(largest.argmax())
        require(largest[worst] <= 1 + 1e-9, f"row {worst} has an entry {largest[worst]:.6g} above one; raise log_scale")
        if allowed.any():
            least = int(np.where(allowed, largest, np.inf).argmin())
            require(
                largest[least] >= _LEAST_LARGEST,
                f"the largest entry of row {least} is {largest[least]:.3g}; lower log_scale until it is about one",
            )

    def products(self) -> None:
        """Check the two products: against the definition, as adjoints, linear, of the dtype said, and repeatable."""
        kernel, matrix, (signed_q, signed_w) = self.kernel, self.matrix, self.signed
        self._compare("matvec", self._asked("matvec", self.q), twin.matvec(matrix, self.q), positive=True)
        self._compare(
            "rmatvec", self._asked("rmatvec", self.weights), twin.matvec(matrix.T, self.weights), positive=True
        )
        self._compare("matvec of a signed vector", kernel.matvec(signed_q), twin.matvec(matrix, signed_q))
        self._compare("rmatvec of a signed vector", kernel.rmatvec(signed_w), twin.matvec(matrix.T, signed_w))
        forth = float(signed_w @ kernel.matvec(signed_q))
        back = float(kernel.rmatvec(signed_w) @ signed_q)
        size = float(np.abs(signed_w) @ matrix @ np.abs(signed_q))
        require(
            abs(forth - back) <= self.tolerance * size,
            f"matvec and rmatvec are not adjoint: w.(K q) is {forth:.12g} but (K'w).q is {back:.12g}",
        )

    def columns_and_gram(self) -> None:
        """Check columns and the Gram matrix, of all letters and of some."""
        matrix, letters = self.matrix, self.letters
        self._compare("columns(letters)", self.kernel.columns(letters), matrix[:, letters])
        for name, chosen in (("gram(weights)", None), ("gram(weights, letters)", letters)):
            some = matrix if chosen is None else matrix[:, chosen]
            self._compare(name, self.kernel.gram(self.weights, chosen), twin.gram(some, self.weights))

    def losses(self) -> None:
        """Check the products with the losses, first and second moments."""
        kernel, q, weights = self.kernel, self.q, self.weights
        count = len(self.reference.losses)
        for m in range(count):
            weighted = self.reference.with_losses(kernel.log_scale, m)
            self._compare(f"loss_matvec({m}, q)", kernel.loss_matvec(m, q), twin.matvec(weighted, q))
            expected = twin.matvec(weighted.T, weights)
            self._compare(f"loss_rmatvec({m}, weights)", kernel.loss_rmatvec(m, weights), expected)
            for other in range(m + 1):
                twice = twin.matvec(self.reference.with_losses(kernel.log_scale, m, other), q)
                self._compare(f"second({m}, {other}, q)", kernel.second(m, other, q), twice)
        self._moments(count)

    def _moments(self, count: int) -> None:
        q = np.full(self.q.size, 1 / self.q.size)
        t = twin.matvec(self.matrix, q)
        used = t > 0
        found = (
            [np.asarray(part)[..., used] for part in self.kernel.moments(q, np.arange(count))] if used.all() else None
        )
        if found is None:  # a row without a letter has no channel
            return
        scale = self.kernel.log_scale
        means = [twin.matvec(self.reference.with_losses(scale, m), q) / t for m in range(count)]
        self._compare("t of moments", found[0], t)
        self._compare("means of moments", found[1], np.array(means))
        pairs = [
            [twin.matvec(self.reference.with_losses(scale, m, o), q) / t - means[m] * means[o] for o in range(count)]
            for m in range(count)
        ]
        size = float(np.abs(np.array(means)).max() ** 2)
        self._compare("covariances of moments", found[2], np.array(pairs), size)

    def step(self) -> None:
        """Check the fused step; what its outputs held before must not matter."""
        n, k = self.kernel.shape
        q = np.full(k, 1 / k)
        t, c = np.full(n, np.nan), np.full(k, np.nan)
        expected = twin.matvec(self.matrix, q)
        if not (expected > 0).all():
            return
        self.kernel.step(self.masses, q, t, c)
        self._compare("t of step", t, expected)
        self._compare("c of step", c, twin.matvec(self.matrix.T, self.masses / expected))

    def _asked(self, operation: str, vector: np.ndarray) -> np.ndarray:
        before = vector.copy()
        first = np.array(getattr(self.kernel, operation)(vector))
        again = np.asarray(getattr(self.kernel, operation)(vector))
        require(np.array_equal(vector, before), f"{operation} changes the vector it is given; copy it first")
        require(first.tobytes() == again.tobytes(), f"{operation} gives another answer the second time")
        require(
            first.dtype == self.kernel.dtype, f"{operation} returns {first.dtype}, but dtype is {self.kernel.dtype}"
        )
        return first

    def _compare(
        self, name: str, found: Any, expected: np.ndarray, size: float | None = None, positive: bool = False
    ) -> None:
        found = np.asarray(found)
        require(found.shape == expected.shape, f"{name} has shape {found.shape}; it should be {expected.shape}")
        largest = float(np.abs(expected).max(initial=0.0)) if size is None else size
        allowed = np.full(expected.shape, self.tolerance * max(largest, 1e-300))
        if positive and math.isfinite(self.kernel.relative_error):
            allowed = self.kernel.relative_error * np.abs(expected) + 1e-20 * largest
        wrong = ~(np.abs(found - expected) <= allowed)
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            where = ", ".join(map(str, place))
            raise AssertionError(
                f"{name}: entry {where} is {found[place]:.12g} but the definition gives {expected[place]:.12g} "
                f"(allowed is a difference of {allowed[place]:.1e})"
            )
