"""Repair of a dual point whose prices exceed one: mend the dual where it is broken, not everywhere."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rdcsolve.kernels import GridKernel, Kernel, LineKernel, SomeLetters
from rdcsolve.letters import FiniteLetters

_LARGEST_LOG_V = 300.0
_MANY_CANDIDATES = 128  # beyond these, only letters dearer than their neighbours are considered
_MOST_CANDIDATES = 800  # the Gram matrix of the candidates is the repair's largest cost


class Repair(NamedTuple):
    """A mended dual point.

    Attributes
    ----------
    log_v : numpy.ndarray
        Shape (n,), u in the letters' scale.
    bound : float
        sum_i p_i u_i - log max_a c(a): the dual bound of `log_v` before limits are charged, nats.
    letters : numpy.ndarray
        Letters that were given mass, most useful ones first; they are the ones worth adding to a channel.
    masses : numpy.ndarray
        The mass each was given.
    """

    log_v: np.ndarray
    bound: float
    letters: np.ndarray
    masses: np.ndarray


def repair(
    space: FiniteLetters,
    log_v: np.ndarray,
    multipliers: np.ndarray,
    passes: int = 3,
    among: np.ndarray | None = None,
) -> Repair:
    """Return the best dual point found by giving mass to letters whose price exceeds one.

    Scaling alone charges the whole bound for the worst letter, often one in the tail. The bound holds for any
    u, so put v = 1 / t with v = exp(u), and raise t by r_a K_a only near the letters a with c(a) > 1: to first
    order, mass r_a lowers c(b) by r_a sum_i p_i v_i^2 K_ia K_ib. Letters are picked greedily by what is left of
    their price after the earlier picks (a matching pursuit), so neighbours are not corrected twice. Scaling
    takes what remains. Each pass costs one pricing. With letters `among` which they are picked, increasing, only these
    are priced: the bound is then one for channels into them.
    """
    kernel = space.kernel(multipliers) if among is None else space.kernel_of(among, multipliers)
    # Any u will do, so one beyond the range of its own squares is lowered into it.
    v = np.exp(np.minimum(log_v + kernel.log_scale, _LARGEST_LOG_V))
    best: tuple[float, np.ndarray] | None = None
    first_letters, first_masses = np.empty(0, dtype=np.intp), np.empty(0)
    for index in range(passes):
        prices = kernel.rmatvec(space.p * v)
        worst = float(prices.max())
        bound = float(space.p @ np.log(v)) - math.log(worst)
        if best is None or bound > best[0]:
            best = bound, v
        if worst <= 1 or index == passes - 1:
            break
        letters, masses = _pick(space, kernel, v, prices)
        if index == 0:
            first_letters, first_masses = letters if among is None else among[letters], masses
        raised = (
            SomeLetters(kernel, letters).matvec(masses)  # columns of a large grid would take more than all else
            if isinstance(kernel, (GridKernel, LineKernel))
            else kernel.columns(letters) @ masses
        )
        v = v / (1 + v * raised)
    assert best is not None
    mended, bound = np.log(best[1]) - kernel.log_scale, best[0] - float(space.p @ kernel.log_scale)
    if among is None and not math.isfinite(kernel.relative_error):  # such a kernel proves nothing
        bound = float(space.p @ mended) - math.log(space.price(mended, multipliers).maximum)
    return Repair(mended, bound, first_letters, first_masses)


def _pick(space: FiniteLetters, kernel: Kernel, v: np.ndarray, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return letters, and the masses that bring their prices to one."""
    candidates = np.flatnonzero(prices > 1)
    if candidates.size > _MANY_CANDIDATES:
        dearest = candidates[np.argpartition(-prices[candidates], _MANY_CANDIDATES)[:_MANY_CANDIDATES]]
        peaks = candidates[space.peaks(prices)[candidates]] if prices.size == space.n_letters else candidates
        peaks = peaks[np.argsort(-prices[peaks])[: _MOST_CANDIDATES - _MANY_CANDIDATES]]
        candidates = np.union1d(dearest, peaks)
    gram = kernel.gram(space.p * v * v, candidates)
    excess = prices[candidates] - 1
    stop = 1e-3 * excess.max()
    masses = np.zeros(candidates.size)
    for _ in range(candidates.size):
        a = int(excess.argmax())
        if excess[a] <= stop:
            break
        mass = excess[a] / gram[a, a]
        masses[a] += mass
        excess -= mass * gram[a]
    picked = np.flatnonzero(masses)
    return candidates[picked], masses[picked]
