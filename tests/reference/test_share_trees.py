"""The checker in one file on cells of shares: its bounds hold, real proofs are confirmed, and changed ones are not."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.problems.storage import arrays_of

pytest.importorskip("flint")

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / "reference"))

import check_certificate as checker  # noqa: E402


def random_part(rng):
    """A part of one or two labels, as the checker has it."""
    sizes = [int(rng.integers(2, 7)) for _ in range(int(rng.integers(1, 3)))]
    rows = int(rng.integers(4, 20))
    labels = [rng.dirichlet(np.full(size, rng.choice([0.1, 0.3, 1.0])), rows) + 1e-12 for size in sizes]
    labels = [label / label.sum(axis=1, keepdims=True) for label in labels]
    with checker.ctx.workprec(checker.PRECISION):
        reduced = [checker.reduced_label(label, float(rng.uniform(0.6, 6))) for label in labels]
        (part,), _ = checker.parts_of(reduced, rows)
    return part


def random_joins(rng, part):
    joins, n = [], part.powers.shape[1]
    for span in part.spans:
        alive = list(range(span.start, span.stop))
        while len(alive) > 1:
            pair = [alive.pop(int(rng.integers(len(alive)))) for _ in range(2)]
            alive.append(n + len(joins))
            joins.append(pair)
    return np.array(joins)


def random_law(rng, part, log_amounts):
    law = rng.dirichlet(np.full(log_amounts.size, rng.choice([0.05, 0.3, 1.0, 10.0]))) + 1e-300
    if rng.random() < 0.5:  # near a local maximum, where bounds are tight
        for _ in range(200):
            place = law @ part.powers
            for span in part.spans:
                place[span] /= place[span].sum()
            exponents = log_amounts + part.powers @ np.log(np.maximum(place, 1e-300)) - part.tops.sum(axis=1)
            law = np.exp(exponents - exponents.max())
        law = law * np.exp(rng.normal(size=law.size) * 10.0 ** -rng.uniform(0, 6))
    return law / law.sum()


def entropy(x):
    return -(x * np.log(np.where(x > 0, x, 1)) + (1 - x) * np.log(np.where(x < 1, 1 - x, 1)))


def test_random_cells_against_random_laws():
    rng, tight = np.random.default_rng(1), 0
    for _ in range(60):
        part = random_part(rng)
        joins, n = random_joins(rng, part), part.powers.shape[1]
        joined = checker.Joined(part, joins)
        for _ in range(5):
            log_amounts = rng.normal(size=len(part.rows)) * rng.choice([0.1, 1.0, 4.0])
            law = random_law(rng, part, log_amounts)
            masses = np.r_[law @ part.powers, np.zeros(len(joins))]
            for v, (a, b) in enumerate(joins):
                masses[n + v] = masses[a] + masses[b]
            shares = masses[joins[:, 0]] / masses[n:]
            attained = law @ (log_amounts - part.tops.sum(axis=1) - np.log(law)) - masses[n:] @ entropy(shares)
            width = 10.0 ** -rng.uniform(0, 4)
            lows = np.maximum(shares - width * rng.random(len(joins)), 0)[None]
            highs = np.minimum(shares + width * rng.random(len(joins)), 1)[None]
            near = np.clip(shares + rng.normal(size=shares.size) * 10.0 ** -rng.uniform(1, 8), 1e-12, 1 - 1e-12)
            slopes = rng.normal(size=lows.shape) * 10.0 ** rng.uniform(-3, 1) * (rng.random(lows.shape) < 0.7)
            leaves = checker.Leaves(
                np.array([-1]),
                np.array([0]),
                rng.integers(0, 10, lows.shape),
                slopes,
                np.maximum(masses[:n] * np.exp(rng.normal(size=n) * 10.0 ** -rng.uniform(0, 4)), 1e-30)[None],
                near[None],
            )
            with np.errstate(all="ignore"):
                amounts = np.exp(log_amounts)
                by_tangent = joined.largest(amounts, lows, highs, leaves)
                around = joined.largest(amounts, lows, highs, leaves._replace(near=np.array([0])))
            assert math.log(by_tangent) >= attained - 1e-13
            assert math.log(around) >= attained - 1e-13
            tight += math.log(min(by_tangent, around)) < attained + 1e-3
    assert tight > 20


@pytest.mark.parametrize("n", [2, 3, 4])
def test_cells_around_a_saddle_have_what_rises_from_it(n):
    """Equal decisions are stationary for equal classes, and no maximum at large multipliers."""
    rng = np.random.default_rng(n)
    with checker.ctx.workprec(checker.PRECISION):
        (part,), _ = checker.parts_of([checker.reduced_label(0.8 * np.eye(n) + 0.2 / n, 4.0)], n)
    joins = random_joins(rng, part)
    joined = checker.Joined(part, joins)
    letter = checker.Letter(joined, np.ones(n), shares_of(part, joins, np.full(n, 1 / n))[0])
    for _ in range(50):
        law = np.full(n, 1 / n) + 0.1 * rng.dirichlet(np.ones(n)) - 0.1 / n
        shares, masses = shares_of(part, joins, law)
        attained = law @ (-part.tops.sum(axis=1) - np.log(law)) - masses @ entropy(shares)
        reach = np.abs(shares - letter.shares)
        with np.errstate(all="ignore"):
            (bound,) = letter.bounds((letter.shares - reach)[None], (letter.shares + reach)[None])
        assert math.log(bound) >= attained - 1e-13
        assert attained > math.log(letter.price)


def shares_of(part, joins, law):
    n = part.powers.shape[1]
    masses = np.r_[law @ part.powers, np.zeros(len(joins))]
    for v, (a, b) in enumerate(joins):
        masses[n + v] = masses[a] + masses[b]
    return masses[joins[:, 0]] / masses[n:], masses[n:]


def test_lines_over_intervals_are_above_the_negative_entropy_with_the_slope_of_its_chord():
    """Quotients of differences are all rounding in thin intervals, and lines are used far beyond their intervals."""
    rng = np.random.default_rng(0)
    begin = rng.uniform(0.001, 0.999, 600)
    end = begin + np.minimum(begin, 1 - begin) * 10.0 ** -rng.uniform(0, 15, 600)
    begin, end = begin[(begin < end) & (end < 1)], end[(begin < end) & (end < 1)]
    slope, height = checker.chord_over(begin, end)
    for a, b, rise, start in zip(begin.tolist(), end.tolist(), slope.tolist(), height.tolist(), strict=True):
        low, high = checker.arb(a), checker.arb(b)
        with checker.ctx.workprec(400):
            ends = [_negative_entropy(low), _negative_entropy(high)]
            chord = (ends[1] - ends[0]) / (high - low)
        assert ends[0] <= low * rise + start
        assert ends[1] <= high * rise + start
        assert abs(chord - rise) <= 1e-8 * (1 + abs(rise))


def _negative_entropy(x):
    return x * x.log() + (1 - x) * (1 - x).log()


def test_logarithms_are_near():
    rng = np.random.default_rng(0)
    x = np.concatenate([10.0 ** rng.uniform(-280, 280, 300), 1 + rng.normal(size=300) * 10.0 ** rng.uniform(-15, -1)])
    exact = [checker.arb(value).log() for value in x.tolist()]
    found = checker.near_logs(x)
    for value, ball in zip(found.tolist(), exact, strict=True):
        assert abs(ball - value) <= checker.LOG_OFF * (1 + abs(value))
    with np.errstate(all="ignore"):
        assert np.isnan(checker.near_logs(np.array([0.0, 5e-324, np.inf, np.nan]))).all()


def test_logarithms_that_are_wrong_are_not_believed(monkeypatch):
    log = np.log
    monkeypatch.setattr(np, "log", lambda x: log(x) * (1 - 2.0**-40))
    assert np.isnan(checker.near_logs(np.array([2.0, 1e-10]))).all()
    assert checker.near_logs(np.array([1.0])) == 0


def test_largest_eigenvalues_are_bounds():
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(40, 6, 6)) * 10.0 ** rng.uniform(-3, 3, (40, 1, 6))
    forms = roots @ roots.swapaxes(1, 2)
    forms = (forms + forms.swapaxes(1, 2)) / 2
    bounds = checker.largest_eigenvalues(forms)
    for form, bound in zip(forms, bounds, strict=True):
        value = np.linalg.eigvalsh(form)[-1]
        assert value <= bound <= value * (1 + 1e-9)
    assert (checker.largest_eigenvalues(-forms) >= 0).all()
    assert np.isinf(checker.largest_eigenvalues(np.full((1, 3, 3), np.inf)))


@pytest.mark.parametrize(
    "joins",
    [
        [[0, 1], [2, 3]],  # one is missing
        [[0, 1], [1, 2], [5, 3]],
        [[0, 0], [1, 2], [4, 5]],
        [[0, 6], [1, 2], [4, 5]],
        [[0, 2], [1, 3], [4, 5]],  # of two labels
    ],
)
def test_joins_that_are_no_trees_are_refuted(joins):
    rng = np.random.default_rng(2)
    part = random_part(rng)
    while [span.stop - span.start for span in part.spans] != [2, 3]:
        part = random_part(rng)
    with pytest.raises(checker.Refuted, match="join"):
        checker.Joined(part, np.array(joins))


# ------------------------------------------------------------------------------------- whole proofs


@pytest.fixture(scope="module")
def solved():
    """The arrays of a solved problem of five noisy classes, and of the problem."""
    rng = np.random.default_rng(3)
    p, label = rng.dirichlet(np.ones(14)), rng.dirichlet(np.full(5, 0.3), 14)
    problem = rdc.Problem.from_arrays(p, rng.random((14, 2)), label, C=math.inf)
    problem = problem.at_multipliers(distortion=1.0, label_entropy=2.5)
    result = rdc.solve(problem, tolerance=1e-5)
    assert result.proof is rdc.Proof.CERTIFIED
    return result, problem


def examined(result, problem, folder, changes=None):
    result.save(folder / "result.npz")
    with np.load(folder / "result.npz") as file:
        arrays = dict(file)
    for name, change in (changes or {}).items():
        key = f"certificate_proof_0_share_{name}"
        assert key in arrays
        if change is None:
            del arrays[key]
        else:
            arrays[key] = change(arrays[key].copy())
    return checker.check_arrays(arrays, dict(arrays_of(problem)))


def test_a_proof_by_cells_of_shares_is_confirmed(solved, tmp_path):
    result, problem = solved
    report = examined(result, problem, tmp_path)
    assert report.valid, report
    assert report.lower >= result.certificate.lower


def put(index, value):
    def change(values):
        values[index] = value
        return values

    return change


BROKEN = {
    "a table is missing": {"slopes": None},
    "no columns": {"columns": None},
    "a tree is cut off": {"cuts": lambda cuts: cuts[:-2]},
    "a cell is cut twice": {"at": lambda at: np.r_[at, 0.5]},
    "a cut outside of its cell": {"at": put(1, 1.5)},
    "a leaf that is cut": {"cuts": put(-1, 0)},
    "an unknown join": {"cuts": put(0, 99)},
    "a letter that is not there": {"near": put(0, 9999)},
    "a form that is none": {"forms": put((0, 0), 10)},
    "a place at zero": {"places": put((0, 0), 0.0)},
    "a slope that is no number": {"slopes": put((0, 0), np.nan)},
    "a letter outside": {"letters": put((0, 0), 1.0)},
    "a column twice": {"columns": lambda columns: np.r_[columns[:-1], columns[:1]]},
    "a column that is not there": {"columns": put(-1, 50)},
    "sizes that do not fit": {"sizes": put(0, 1)},
    "joins of reals": {"joins": lambda joins: joins.astype(float)},
}


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_proofs_are_refuted(fault, solved, tmp_path):
    report = examined(*solved, tmp_path, BROKEN[fault])
    assert not report.valid
    assert report.faults


TAMPERED = {
    "cuts moved": {"at": lambda at: at * 0.9},
    "slopes turned": {"slopes": lambda slopes: -slopes},
    "places moved": {"places": lambda places: places[::-1]},
    "other forms": {"forms": lambda forms: 9 - forms},
    "letters moved": {"letters": lambda letters: np.clip(letters * 0.99, 1e-9, 1 - 1e-9)},
    "all near a letter": {"near": lambda near: np.maximum(near, 0), "forms": lambda x: x[:0], "slopes": lambda x: x[:0]}
    | {"places": lambda x: x[:0]},
}


@pytest.mark.parametrize("change", TAMPERED)
def test_proofs_that_were_tampered_with_prove_less_or_nothing(change, solved, tmp_path):
    result, problem = solved
    report = examined(result, problem, tmp_path, TAMPERED[change])
    assert not report.valid
    assert report.lower < result.certificate.lower
