"""Every letter space against the whole suite; defects that the suite sees; the exchange over every space."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.letters import Letters, PriceBound, SearchedSpace, space_of
from rdcsolve.letters.points import PointSpace
from rdcsolve.letters.split import SplitSpace
from rdcsolve.letters.tuples import TupleSpace
from rdcsolve.results import Proof, Status
from rdcsolve.solvers import InteriorPoint
from rdcsolve.solvers.exchange.exchange import solve_over
from rdcsolve.solvers.loop import Limits, Settings
from rdcsolve.testing import check_bounds, check_space
from rdcsolve.testing.spaces import CHECKS, trial_of

INF = math.inf
RNG = np.random.default_rng(0)
P = RNG.dirichlet(np.ones(6))
D, OTHER = RNG.random((6, 4)), RNG.random((6, 4))
FORBIDDING = np.where((np.arange(6)[:, None] * 4 + np.arange(4)) % 11 == 1, INF, D)
LABELS = [RNG.dirichlet([0.5, 0.5, 0.5], 6), RNG.dirichlet([0.5, 0.5], 6)]
LINE, PLANE = RNG.normal(size=(6, 1)), RNG.normal(size=(6, 2))
ENTROPY = rdc.LabelEntropyLimit(0.4)


class Circle(SearchedSpace):
    """Letters on the unit circle, an angle each, under the squared chord distance."""

    def __init__(self, points):
        self.points = points

    def place_losses(self, places):
        letters = np.column_stack([np.cos(places), np.sin(places)])
        return [((self.points[:, None] - letters) ** 2).sum(axis=2)]

    def spread(self):
        return np.linspace(-np.pi, np.pi, 48, endpoint=False)[:, None]


class Segment(SearchedSpace):
    """Letters on [-1, 1] under the absolute error, which is infinite beyond two, and its square."""

    loss_names = ("distortion", "square")

    def __init__(self, points):
        self.points = points

    def place_losses(self, places):
        error = np.abs(self.points[:, None, 0] - places[:, 0])
        return [np.where(error > 2, INF, error), error**2]

    def spread(self):
        return np.linspace(-1, 1, 41)[:, None]

    def moved(self, places, axis, by):
        return np.clip(super().moved(places, axis, by), -1.0, 1.0)


def tuples(count):
    base = rdc.Problem.from_arrays(P, FORBIDDING, losses={"other": OTHER})
    targets = [{"D": 0.5}, {"other": 0.25}, {"D": 0.6, "other": 0.3}][:count]
    space = TupleSpace(base, np.array([base.with_limits(**target).bounds for target in targets]))
    return space.beginning_with(space.everything()[np.arange(space.count) % 5 > 0])


def stated(points=None, reproduction=None, labels=(), **options):
    return rdc.Problem(rdc.Source(points, P, labels=labels), reproduction, **options)


ZERO = np.r_[P, 0.0]
PROBLEMS = {
    "symbols": rdc.Problem.from_arrays(P, D, D=0.44),
    "split": rdc.Problem.from_arrays(P, D, LABELS[0], D=0.45, C=0.65),
    "split, two labels and losses, forbidden pairs": rdc.Problem.from_arrays(
        P, FORBIDDING, LABELS, D=0.55, C=[0.7, 0.5], losses={"other": OTHER}, limits={"other": 0.6}
    ),
    "split, a symbol of no mass": rdc.Problem.from_arrays(
        ZERO, np.vstack([D, D[:1]]), np.vstack([LABELS[1], LABELS[1][:1]]), D=0.45, C=0.4
    ),
    "points": stated(LINE, "free", limits=[rdc.DistortionLimit(0.2)]),
    "points with a label": stated(LINE, "free", LABELS[1:], limits=[rdc.DistortionLimit(0.5), ENTROPY]),
    "points of a plane": stated(
        PLANE, "free", LABELS[1:], distortion="mean_squared_error", limits=[rdc.DistortionLimit(0.6), ENTROPY]
    ),
    "circle": stated(PLANE, Circle(PLANE), limits=[rdc.DistortionLimit(1.7)]),
    "circle with a label": stated(PLANE, Circle(PLANE), LABELS[1:], limits=[ENTROPY]),
    "segment": stated(LINE, Segment(LINE), limits=[rdc.DistortionLimit(0.4)]).with_limits(square=0.4),
}
SPACES = {name: space_of(problem) for name, problem in PROBLEMS.items()}
SPACES |= {"pairs": tuples(2), "triples": tuples(3)}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("space", SPACES)
def test_every_space_passes_every_check(space, check):
    for trial in range(3):
        CHECKS[check](trial_of(SPACES[space], np.random.default_rng([7, trial])))


# ------------------------------------------------------------------------------------- defects are seen


class Changed(SplitSpace):
    """Split letters with one method that is wrong."""

    def __init__(self, problem=None):
        super().__init__(PROBLEMS["split"])


class OtherLosses(Changed):
    def place_losses(self, places):
        return [1.001 * loss for loss in super().place_losses(places)]


class WrongPrices(Changed):
    def price(self, u, multipliers):
        return super().price(u, 1.01 * multipliers)


class LowBound(Changed):
    def price(self, u, multipliers):
        prices = super().price(u, multipliers)
        honest = prices.largest
        prices.largest = lambda tolerance: replace(honest(tolerance), log_upper=honest(tolerance).log_upper - 1e-6)
        return prices


class LazySearch(Changed):
    def price(self, u, multipliers):
        prices = super().price(u, multipliers)
        honest = prices.maxima
        prices.maxima = lambda starts, thorough=True: replace(
            honest(starts, thorough), log_prices=honest(starts, thorough).log_prices + 1e-6
        )
        return prices


class NoWitness(Changed):
    def price(self, u, multipliers):
        prices = super().price(u, multipliers)
        prices.largest = lambda tolerance: PriceBound(100.0, False)
        return prices


class LostMass(Changed):
    def merge(self, letters, joint, multipliers):
        merged, q = super().merge(letters, joint, multipliers)
        return merged, 0.99 * q


class NoMerging(Changed):
    def merge(self, letters, joint, multipliers):
        return letters, joint.sum(axis=0)


class MergesAll(Changed):
    def merge(self, letters, joint, multipliers):
        whole = joint.sum(axis=1, keepdims=True)
        return self.posterior(letters.take(np.arange(1)), whole), whole.sum(axis=0)


class WrongPosterior(Changed):
    def posterior(self, letters, joint):
        return Letters(np.roll(letters.places, 1), super().posterior(letters, joint).decisions)


class WrongLetters(Changed):
    def letters_of(self, result):
        return Letters((result.letters + 1) % 4, result.decisions)


class HighLoss(Changed):
    def least_loss(self, index):
        return 10.0


class Opinionated(Changed):
    def anchors(self):
        anchors = super().anchors()
        return Letters(anchors.places, tuple(np.full_like(soft, 1 / soft.shape[1]) for soft in anchors.decisions))


class NoStart(Changed):
    def openings(self):
        return iter([])


class WrongSlopes(PointSpace):
    def __init__(self):
        super().__init__(PROBLEMS["points"])

    def derivatives(self, places):
        return [(1.01 * gradient, hessian) for gradient, hessian in super().derivatives(places)]


DEFECTS = {
    OtherLosses: "other losses than the letters",
    WrongPrices: "logarithm is off",
    LowBound: "exceeds the proved bound|dearer than the proved bound",
    LazySearch: "maximum's log price is off",
    NoWitness: "names no letter",
    LostMass: "after merging",
    NoMerging: "have not become one",
    MergesAll: "merging raises the Lagrangian",
    WrongPosterior: "letters at their posterior have the mean",
    WrongLetters: "not found again",
    HighLoss: "is called at least 10",
    Opinionated: "off the marginal of label_entropy",
    NoStart: "no list of letters",
    WrongSlopes: "derivative of loss 0 is off",
}


@pytest.mark.parametrize("kind", DEFECTS, ids=lambda kind: kind.__name__)
def test_defects_are_seen(kind):
    with pytest.raises(AssertionError, match=DEFECTS[kind]):
        check_space(kind())


def test_a_problem_stands_for_the_space_of_its_letters():
    check_space(PROBLEMS["split"], trials=1)


# ------------------------------------------------------------------------------------- the exchange


def exchanged(space, tolerance=1e-8):
    return solve_over(space, Settings(InteriorPoint(), tolerance, Limits(100), time.perf_counter()))


@pytest.mark.parametrize("name", SPACES)
def test_the_exchange_ends_over_every_space(name):
    result = exchanged(SPACES[name])
    assert result.status is Status.OPTIMAL
    check_bounds(result, 1e-8)
    assert result.proof is (Proof.CERTIFIED if SPACES[name].is_checked and "plane" not in name else Proof.UNVERIFIED)


def test_over_symbols_the_exchange_agrees_with_the_finite_solvers():
    problem = PROBLEMS["symbols"]
    by_exchange, by_all = exchanged(SPACES["symbols"]), rdc.solve(problem)
    assert max(by_exchange.rate_lower, by_all.rate_lower) <= min(by_exchange.rate_upper, by_all.rate_upper)
    assert by_exchange.certificate.verify(problem).valid


@pytest.mark.parametrize("count", [2, 3])
def test_over_tuples_the_exchange_agrees_with_all_of_them_listed(count):
    space = tuples(count)
    whole = rdc.solve(space.stated(space.everything()), tolerance=1e-8)
    result = exchanged(space)
    assert max(result.rate_lower, whole.rate_lower) <= min(result.rate_upper, whole.rate_upper)
    listed = space.listed(space.letters_of(result))
    certificate = replace(result.certificate, letters=np.arange(listed.n_letters), fingerprint=listed.fingerprint())
    assert certificate.verify(listed).valid
    assert space.price(certificate.u, certificate.multipliers).largest(0.0).log_upper <= 1e-12


def test_tuples_to_begin_with_that_do_not_meet_the_limits_prove_nothing():
    space = tuples(2)
    result = exchanged(space.beginning_with(space.everything()[::2]))
    assert (result.status, result.proof) == (Status.STALLED, Proof.NONE)


# ------------------------------------------------------------------------------------- letters of one's own


@pytest.mark.parametrize("limits", [{"D": 1.7}, {"C": 0.4}, {"D": 1.9, "C": 0.4}, {"D": 10.0}])
def test_letters_on_a_circle_need_hardly_less_than_a_fine_list_of_them(limits):
    declared = [rdc.DistortionLimit(INF), rdc.LabelEntropyLimit(INF)]
    angles = np.linspace(-np.pi, np.pi, 720, endpoint=False)
    circle = stated(PLANE, Circle(PLANE), LABELS[1:], limits=declared).with_limits(**limits)
    fine = stated(PLANE, np.column_stack([np.cos(angles), np.sin(angles)]), LABELS[1:], limits=declared)
    own, listed = rdc.solve(circle, tolerance=1e-7), rdc.solve(fine.with_limits(**limits), tolerance=1e-7)
    assert own.status is Status.OPTIMAL
    assert listed.rate_lower - 1e-3 < own.rate_upper < listed.rate_upper + 1e-7
    assert own.rate_lower <= listed.rate_upper


def test_letters_of_ones_own_are_never_called_certified(tmp_path):
    problem = PROBLEMS["circle"]
    result = rdc.solve(problem, tolerance=1e-7)
    assert result.proof is Proof.UNVERIFIED
    assert "does not know the letters of Circle" in result.message
    with pytest.raises(rdc.InvalidInput, match="does not know the letters of Circle"):
        result.certificate.verify(problem)
    listed = problem.listed(result.reproduction, result.decisions)  # a finite problem like any other
    proved = rdc.solve(listed, tolerance=1e-7)
    assert proved.proof is Proof.CERTIFIED
    assert proved.rate_lower <= result.rate_upper
    rdc.testing.check_kkt(result, problem)
    result.save(tmp_path / "circle.npz")
    again = rdc.solve(problem.with_limits(D=1.69), start=rdc.load(tmp_path / "circle.npz"), tolerance=1e-7)
    assert again.status is Status.OPTIMAL


def test_limits_that_no_letter_of_ones_own_is_seen_to_meet_are_not_called_infeasible():
    result = rdc.solve(PROBLEMS["circle"].with_limits(D=0.0))
    assert (result.status, result.proof) == (Status.STALLED, Proof.NONE)
    assert "which proves nothing" in result.message


def test_the_other_objectives_over_letters_of_ones_own():
    problem = stated(PLANE, Circle(PLANE), LABELS[1:], limits=[rdc.DistortionLimit(1.7), rdc.LabelEntropyLimit(INF)])
    limited = rdc.solve(problem, tolerance=1e-8)
    back = rdc.solve(problem.minimising("distortion", rate=limited.rate_upper), tolerance=1e-8)
    assert back.distortion == pytest.approx(1.7, abs=1e-6)
    priced = rdc.solve(problem.at_multipliers(distortion=limited.multipliers["distortion"]), tolerance=1e-8)
    value = limited.rate_upper + limited.multipliers["distortion"] * 1.7
    assert priced.objective_upper == pytest.approx(value, abs=1e-6)


class Wrong(Circle):
    def __init__(self, spread=None, losses=None, names=("distortion",)):
        super().__init__(PLANE)
        self.places, self.losses, self.loss_names = spread, losses, names

    def spread(self):
        return super().spread() if self.places is None else self.places

    def place_losses(self, places):
        return super().place_losses(places) if self.losses is None else self.losses


BAD = {
    "spread": (lambda: stated(PLANE, Wrong(spread=np.zeros(3))), r"Wrong\.spread\(\) is to return finite places"),
    "nan": (lambda: stated(PLANE, Wrong(spread=np.array([[np.nan]]))), "finite places of shape"),
    "number": (lambda: stated(PLANE, Wrong(names=("distortion", "b"))), "place_losses returns 1 arrays"),
    "shape": (lambda: stated(PLANE, Wrong(losses=[np.ones((2, 2))])), r"has shape \(2, 2\) for 6 symbols and 48"),
    "negative": (lambda: stated(PLANE, Wrong(losses=[np.full((6, 48), -1.0)])), "has entries below zero, -1 at least"),
    "name": (lambda: stated(PLANE, Wrong(names=("my loss",))), "use a Python identifier"),
    "distortion": (lambda: stated(PLANE, Circle(PLANE), distortion="hamming"), "have their own losses; leave it out"),
    "limit": (
        lambda: stated(PLANE, Circle(PLANE), limits=[rdc.LossLimit(1.0, np.ones((6, 6)), "b")]),
        "needs listed letters but these are of Circle",
    ),
    "fixed": (
        lambda: stated(PLANE, Circle(PLANE), letters="fixed"),
        "needs listed letters but reproduction is a letter",
    ),
    "universal": (
        lambda: rdc.universal_rate(PROBLEMS["circle"], [{"D": 0.9}]),
        "letters are those of Circle but decoders need",
    ),
    "conic": (lambda: rdc.solve(PROBLEMS["circle"], rdc.Conic()), "Conic solves finite linear problems"),
    "tuples": (
        lambda: TupleSpace(PROBLEMS["split"], PROBLEMS["split"].bounds[None]).beginning_with(np.zeros((1, 1), int)),
        "list them beside label entropies",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_names_the_value_and_the_cure(case):
    make, message = BAD[case]
    with pytest.raises(rdc.InvalidInput, match=message):
        make()


def test_names_of_problems_say_whose_letters_they_have():
    assert "letters of Circle" in repr(PROBLEMS["circle"])
    assert repr(PROBLEMS["circle"].losses[0]) == "PlaceLoss('distortion')"
    assert PROBLEMS["circle"].fingerprint() != PROBLEMS["segment"].fingerprint()
