"""Conformance of letter spaces: what the exchange relies on, tried on random letters and dual points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace

import numpy as np

from rdcsolve.letters.choice import space_of
from rdcsolve.letters.letters import Letters
from rdcsolve.letters.space import LetterSpace, Prices
from rdcsolve.problems import Problem
from rdcsolve.testing.evaluation import require

_PURE = 0.2  # share of random decisions that exclude classes
_SAME_COST = 1e-6  # nats: what merging letters that cost the same may lose per loss
_NEARLY_EQUAL = 1e-3  # nats, what merging letters of nearly equal posteriors may cost, relative to multipliers
_STEP = 1e-6  # of finite differences


@dataclass(frozen=True, eq=False)
class Trial:
    """Random letters (k) of a space with joint masses (n_x, k), and a dual point with the prices there.

    `tolerance` is what sums may err by, nats, relative to one plus what is summed.
    """

    space: LetterSpace
    rng: np.random.Generator
    letters: Letters
    joint: np.ndarray
    u: np.ndarray
    multipliers: np.ndarray
    tolerance: float

    @property
    def problem(self) -> Problem:
        """The space's problem."""
        return self.space.problem

    @cached_property
    def covering(self) -> Letters:
        """Letters of which every symbol may use one, so that any list with them makes a problem."""
        return next(self.space.openings(), self.space.anchors())

    @cached_property
    def usable(self) -> Letters:
        """The letters whose prices are not zero."""
        return self.letters.take(np.flatnonzero(self.log_prices(self.letters) > -np.inf))

    @property
    def prices(self) -> Prices:
        """The prices at the dual point, made anew."""
        return self.space.price(self.u, self.multipliers)

    def log_terms(self, letters: Letters) -> np.ndarray:
        """Return log p_i + u_i - lambda.L(i, a) by definition, from the losses of the problem listed: (n, k)."""
        used = self.problem.p_x > 0
        exponent = np.repeat((np.log(self.problem.p_x[used]) + self.u[used])[:, None], len(letters), axis=1)
        listed = self.space.listed(letters.joined(self.covering))
        for multiplier, loss in zip(self.multipliers, listed.linear_losses, strict=True):
            matrix = loss.block(used, slice(len(letters)))
            exponent -= multiplier * np.where(np.isinf(matrix), 0.0, matrix)
            exponent[np.isinf(matrix) & self._forbids(loss.name, multiplier)] = -np.inf
        return exponent

    def _forbids(self, name: str, multiplier: float) -> bool:
        """Return whether an infinite loss forbids its pair: a decision that excludes a class does only if it counts."""
        return multiplier > 0 or name not in [label.name for label in self.problem.label_entropies]

    def log_prices(self, letters: Letters) -> np.ndarray:
        """Return the logarithms of the letters' prices by definition, shape (k,), nats."""
        return _log_sums(self.log_terms(letters))

    def allowance(self, values: np.ndarray | float = 0.0) -> float:
        """Return what numbers of this size may err by."""
        size = np.abs(np.where(np.isfinite(values), values, 0.0)).max(initial=0.0)
        return self.tolerance * float(1 + size + np.abs(self.u).max())


def check_space(
    space: LetterSpace | Problem, *, trials: int = 3, n_letters: int = 12, tolerance: float = 1e-9, seed: int = 0
) -> None:
    """Check that a letter space is right, on random letters and dual points.

    Parameters
    ----------
    space : LetterSpace or Problem
        With a problem, of which few symbols are enough; a problem stands for the space of its letters.
    trials : int, optional
        How many dual points are tried.
    n_letters : int, optional
        How many random letters of each kind go into a trial.
    tolerance : float, optional
        What prices and losses may err by, relative to one plus their size.
    seed : int, optional

    Raises
    ------
    AssertionError
        If the problem listed has other losses than the letters; prices are not those of the definition; letters called
        maxima do not have the prices stated; a letter is dearer than the bound on all; merging or the posterior makes
        letters worse; or a result's letters are not found again. The message holds the numbers.

    Examples
    --------
    >>> import rdcsolve as rdc
    >>> problem = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], [[0.9, 0.1], [0.2, 0.8]], C=0.3)
    >>> rdc.testing.check_space(problem)
    """
    own = space_of(space) if isinstance(space, Problem) else space
    for trial in range(trials):
        for check in CHECKS.values():
            check(trial_of(own, np.random.default_rng([seed, trial]), n_letters, tolerance))


def trial_of(space: LetterSpace, rng: np.random.Generator, n_letters: int = 12, tolerance: float = 1e-9) -> Trial:
    """Return random letters, joint masses and a dual point of a space."""
    problem = space.problem
    anchors = space.anchors()
    places = anchors.places[rng.integers(len(anchors), size=n_letters)]
    first = Letters(places, tuple(_decisions(label, n_letters, rng) for label in problem.label_entropies))
    joint = _allowed_masses(space, first, rng)
    second = space.posterior(first, joint)
    letters = first.joined(second)
    multipliers = []
    for loss in space.losses(letters):
        typical = float(loss[np.isfinite(loss)].mean()) if np.isfinite(loss).any() else 0.0
        active = typical > 0 and rng.random() < 0.8
        multipliers.append(float(rng.exponential(2.0)) / typical if active else 0.0)
    u = rng.normal(0, 1.0, problem.n_x)
    joint = _allowed_masses(space, letters, rng)
    return Trial(space, rng, letters, joint, u, np.array(multipliers), tolerance)


def _decisions(label: object, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return random soft decisions, some of which exclude classes."""
    n_s = label.conditional.shape[1]  # type: ignore[attr-defined]
    soft = rng.dirichlet(np.full(n_s, 0.7), count)
    pure = rng.random(count) < _PURE
    soft[pure] = np.eye(n_s)[rng.integers(n_s, size=int(pure.sum()))]
    return soft


def _allowed_masses(space: LetterSpace, letters: Letters, rng: np.random.Generator) -> np.ndarray:
    """Return random joint masses (n_x, k) without forbidden pairs, every letter of some mass."""
    p = space.problem.p_x
    joint = p[:, None] * rng.dirichlet(np.full(len(letters), 0.5), p.size)
    for loss in space.place_losses(letters.places):
        joint[np.isinf(loss)] = 0.0
    empty = joint.sum(axis=0) < 1e-9
    joint[:, empty] = p[:, None]  # a letter that no symbol may use has whatever masses
    return joint / joint.sum()


def _log_sums(terms: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        top = terms.max(axis=0)
        shift = np.where(top > -np.inf, top, 0.0)
        return np.log(np.exp(terms - shift).sum(axis=0)) + shift


def _means(losses: list[np.ndarray], joint: np.ndarray) -> np.ndarray:
    """Return the mean of every loss, shape (M,); inf where a forbidden pair has mass."""
    return np.array([np.multiply(joint, loss, out=np.zeros(loss.shape), where=joint > 0).sum() for loss in losses])


# ------------------------------------------------------------------------------------------- the suite


def check_lists(trial: Trial) -> None:
    """Check that the finite problem listed is about the same symbols, limits and losses."""
    space, problem = trial.space, trial.problem
    letters = trial.letters.joined(trial.covering)
    listed = space.listed(letters)
    require(listed.loss_names == problem.loss_names, f"listed losses are {listed.loss_names}, not {problem.loss_names}")
    require(np.array_equal(listed.bounds, problem.bounds), "listed bounds are others")
    require(np.array_equal(listed.p_x, problem.p_x), "listed masses are others")
    for name, stated, loss in zip(listed.loss_names, listed.linear_losses, space.losses(letters), strict=True):
        close = stated.shape == loss.shape and np.allclose(stated.block(), loss, rtol=trial.tolerance, atol=1e-300)
        require(close, f"{name}: the problem listed has other losses than the letters")


def check_prices(trial: Trial) -> None:
    """Check that terms and prices are those of the definition."""
    prices, expected = trial.prices, trial.log_terms(trial.letters)
    terms = prices.terms(trial.letters)
    require(terms.shape == expected.shape, f"terms have shape {terms.shape}, not {expected.shape}: (n, k)")
    require(np.array_equal(terms == -np.inf, expected == -np.inf), "terms are zero elsewhere than by definition")
    finite = expected > -np.inf
    error = np.abs(terms[finite] - expected[finite]).max(initial=0.0)
    require(error <= trial.allowance(expected), f"a term's logarithm is off by {error:.3g}")
    logs, definition = prices.logs(trial.letters), _log_sums(expected)
    some = definition > -np.inf
    error = np.abs(logs[some] - definition[some]).max(initial=0.0)
    require(error <= trial.allowance(expected), f"a log price is off by {error:.3g}")


def check_likeness(trial: Trial) -> None:
    """Check that affinities are between zero and one, one with itself, and likeness agrees with them."""
    usable = trial.usable
    prices, affinity = trial.prices, trial.prices.affinity(usable)
    require(np.allclose(affinity, affinity.T, atol=1e-9), "affinity is not symmetric")
    require(np.allclose(np.diag(affinity), 1.0, atol=1e-9), "a letter's affinity with itself is not one")
    require(affinity.min(initial=0.0) >= 0 and affinity.max(initial=0.0) <= 1 + 1e-9, "affinity leaves [0, 1]")
    joint = np.zeros((trial.problem.n_x, len(usable)))
    joint[trial.problem.p_x > 0] = np.exp(trial.log_terms(usable) - trial.log_prices(usable))
    apart = np.abs(prices.likeness(usable, joint) - affinity).max(initial=0.0)
    require(apart <= 1e-7, f"likeness to a letter's own shares is {apart:.3g} off its affinity")


def check_maxima(trial: Trial) -> None:
    """Check that maxima have the prices stated, and none that they started from is dearer than the dearest."""
    usable = trial.usable
    for thorough in (False, True):
        found = trial.prices.maxima(usable, thorough)
        require(len(found.letters) == found.log_prices.size > 0, "maxima and their prices are not of one number")
        definition = trial.log_prices(found.letters)
        error = np.abs(found.log_prices - definition).max()
        require(error <= trial.allowance(definition) + 1e-10, f"a maximum's log price is off by {error:.3g}")
    short = trial.log_prices(usable).max(initial=-np.inf) - found.log_prices.max()
    require(short <= trial.allowance(definition), f"a letter to start from is {short:.3g} dearer than all maxima")


def check_bound(trial: Trial) -> None:
    """Check that no maximum and no letter tried is dearer than the bound on all, and the bound near the dearest."""
    maxima = trial.prices.maxima(trial.usable.take(np.arange(1)))
    bound = trial.prices.largest(1e-9)
    kind = "proved" if bound.proved else "searched"
    allowed = bound.log_upper + (1e-12 * trial.allowance(bound.log_upper) if bound.proved else trial.allowance())
    above = float(maxima.log_prices.max()) - allowed
    require(above <= 1e-13 * (1 + abs(allowed)), f"a maximum exceeds the {kind} bound by {above:.3g}")
    tried = float(trial.log_prices(trial.letters).max())
    require(tried <= allowed + 1e-12, f"a random letter is {tried - allowed:.3g} dearer than the {kind} bound")
    if bound.dearest is not None:
        definition = trial.log_prices(bound.dearest.letters)
        error = np.abs(definition - bound.dearest.log_prices).max()
        require(error <= trial.allowance(definition) + 1e-10, f"the dearest letter's log price is off by {error:.3g}")
    if not bound.proved:
        require(bound.dearest is not None, "a bound that is not proved names no letter that it was found at")


def check_posterior(trial: Trial) -> None:
    """Check that letters at their posterior have no larger mean losses."""
    before = _means(trial.space.losses(trial.letters), trial.joint)
    after = _means(trial.space.losses(trial.space.posterior(trial.letters, trial.joint)), trial.joint)
    for name, old, new in zip(trial.problem.loss_names, before, after, strict=True):
        fine = new <= old + trial.tolerance * (1 + abs(old))
        require(fine, f"{name}: letters at their posterior have the mean {new:.10g}, above {old:.10g} before")


def check_merge(trial: Trial) -> None:
    """Check that equal letters become one, that masses stay, and that the Lagrangian does not rise.

    Letters come twice each, under the best channel at equal masses; then once more at others' places, under any.
    """
    space = trial.space
    letters = space.posterior(trial.letters, trial.joint)
    tilted = _tilted(trial, letters)
    labels = len(trial.problem.label_entropies)
    nearly = _NEARLY_EQUAL * float(1 + trial.multipliers[trial.multipliers.size - labels :].sum())
    _check_merged(trial, letters.joined(letters), np.hstack([tilted, tilted]) / 2, nearly)
    elsewhere = Letters(letters.places[trial.rng.permutation(len(letters))], letters.decisions)
    _check_merged(trial, letters.joined(letters).joined(elsewhere), np.hstack([trial.joint] * 3) / 3, _SAME_COST)


def _check_merged(trial: Trial, many: Letters, joint: np.ndarray, allowed: float) -> None:
    """Check one merger of letters, no more than half or two thirds of which are distinct."""
    for loss in trial.space.losses(many):
        joint = np.where(np.isinf(loss), 0.0, joint)
    held = np.flatnonzero(joint.sum(axis=0) > 1e-12)
    many, joint = many.take(held), joint[:, held] / joint.sum()
    merged, q = trial.space.merge(many, joint, trial.multipliers)
    require(len(merged) == q.size, "letters merged and their masses are not of one number")
    require(abs(q.sum() - 1.0) <= 1e-9, f"masses add up to {q.sum():.12g} after merging, not to one")
    require(len(merged) <= 2 * len(many) / 3, "equal letters have not become one")
    before, after = _lagrangian(trial, many, joint), _least_lagrangian(trial, merged, q, joint.sum(axis=1))
    allowed = allowed * len(trial.multipliers) + trial.allowance(before)
    require(after <= before + allowed, f"merging raises the Lagrangian from {before:.10g} to {after:.10g}")


def _tilted(trial: Trial, letters: Letters) -> np.ndarray:
    """Return the joint masses of the best channel at equal output masses, shape (n_x, k)."""
    exponent = _exponent(trial, letters, np.zeros(len(letters)))
    usable = exponent.max(axis=1) > -np.inf
    joint = np.zeros(exponent.shape)
    joint[usable] = np.exp(exponent[usable] - _log_sums(exponent[usable].T)[:, None])
    return trial.problem.p_x[:, None] * joint


def _lagrangian(trial: Trial, letters: Letters, joint: np.ndarray) -> float:
    """Return I(X; A) + lambda.E L of joint masses, nats."""
    product = joint.sum(axis=1)[:, None] * joint.sum(axis=0)
    some = joint > 0
    rate = float((joint[some] * np.log(joint[some] / product[some])).sum())
    active = trial.multipliers > 0
    return rate + float(trial.multipliers[active] @ _means(trial.space.losses(letters), joint)[active])


def _least_lagrangian(trial: Trial, letters: Letters, q: np.ndarray, p: np.ndarray) -> float:
    """Return -sum_i p_i log sum_a q_a exp(-lambda.L(i, a)): what a channel with these output masses can attain."""
    used = p > 0
    return -float(p[used] @ _log_sums(_exponent(trial, letters, np.log(q))[used].T))


def _exponent(trial: Trial, letters: Letters, log_q: np.ndarray) -> np.ndarray:
    """Return log q_a - lambda.L(i, a), -inf at forbidden pairs, shape (n_x, k)."""
    exponent = np.repeat(log_q[None], trial.problem.n_x, axis=0)
    for multiplier, loss in zip(trial.multipliers, trial.space.losses(letters), strict=True):
        exponent -= multiplier * np.where(np.isinf(loss), 0.0, loss)
        exponent[np.isinf(loss)] = -np.inf
    return exponent


def check_results(trial: Trial) -> None:
    """Check that letters are found again in a result, with the losses that it shows."""
    space = trial.space
    letters = space.posterior(trial.letters, trial.joint)
    channel = trial.joint / trial.problem.p_x.clip(1e-300)[:, None]
    channel /= channel.sum(axis=1, keepdims=True).clip(1e-300)
    joint = channel * trial.problem.p_x[:, None]
    letters = space.posterior(letters, joint)
    shown = space.shown(letters, channel)
    require(shown.indices.shape == (len(letters),), "a result shows letters of another number")
    result = SimpleNamespace(letters=shown.indices, reproduction=shown.reproduction, decisions=letters.decisions)
    require(space.fits(result), "a result's letters are not taken for this space's")
    again = space.letters_of(result)
    require(np.allclose(again.places, letters.places, atol=1e-9), "letters are not found again in a result")
    means = dict(zip(trial.problem.loss_names, _means(space.losses(letters), joint), strict=True))
    for name, value in shown.losses.items():
        close = abs(value - means[name]) <= trial.tolerance * (1 + abs(value))
        require(close, f"{name} is shown as {value:.12g} but its mean is {means[name]:.12g}")
    for m, name in enumerate(trial.problem.loss_names):
        least = space.least_loss(m)
        fine = least <= means[name] + trial.tolerance * (1 + abs(least))
        require(fine, f"{name} is called at least {least:.12g}, but letters have the mean {means[name]:.12g}")


def check_beginnings(trial: Trial) -> None:
    """Check that anchors say nothing about labels, and that there is a list to begin with."""
    space, problem = trial.space, trial.problem
    for letters in (space.anchors(), space.priors()):
        require(len(letters), "there are no letters to begin with")
        for label, soft in zip(problem.label_entropies, letters.decisions, strict=True):
            apart = np.abs(soft - problem.p_x @ label.conditional).max()
            require(apart <= 1e-9, f"an anchor's decision is {apart:.3g} off the marginal of {label.name}")
    lists = list(space.openings())
    require(lists and all(len(one) for one in lists), "there is no list of letters to begin with")
    for one in lists:
        losses = space.losses(one)
        usable = np.logical_and.reduce([np.isfinite(loss).all(axis=0) for loss in losses]) if losses else np.ones(1)
        covered = np.logical_or.reduce([np.isfinite(loss).any(axis=1) for loss in losses])
        require(usable.any() or covered[problem.p_x > 0].all(), "a symbol has no letter among those to begin with")


def check_derivatives(trial: Trial) -> None:
    """Check derivatives of losses in a letter's place by finite differences, where places can be moved."""
    space, places = trial.space, trial.letters.places
    dim = space.coordinates(np.maximum(trial.multipliers, 1.0))
    if not dim:
        return
    for m, (gradient, hessian) in enumerate(space.derivatives(places)):
        for axis in range(dim):
            step = _STEP * np.eye(dim)[axis]
            up, down = (np.asarray(space.place_losses(places + sign * step)[m]) for sign in (1, -1))
            error = np.abs((up - down) / (2 * _STEP) - gradient[:, :, axis])
            scale = 1 + np.abs(gradient).max() + np.abs(up).max()
            require(error.max() <= 1e-4 * scale, f"a derivative of loss {m} is off by {error.max():.3g}")
            later, earlier = (space.derivatives(places + sign * step)[m][0] for sign in (1, -1))
            error = np.abs((later - earlier) / (2 * _STEP) - hessian[:, :, :, axis])
            require(error.max() <= 1e-4 * scale, f"a second derivative of loss {m} is off by {error.max():.3g}")


CHECKS: dict[str, Callable[[Trial], None]] = {
    "lists": check_lists,
    "prices": check_prices,
    "likeness": check_likeness,
    "maxima": check_maxima,
    "bound": check_bound,
    "posterior": check_posterior,
    "merge": check_merge,
    "results": check_results,
    "beginnings": check_beginnings,
    "derivatives": check_derivatives,
}
"""What `check_space` checks, by name."""
