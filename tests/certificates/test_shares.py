"""Cells of shares: no bound of a cell is below what a law in it attains, in either arithmetic, and faults are seen."""

import dataclasses
import math

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.certificates.elementary import FLOAT
from rdcsolve.certificates.proof import unpacked
from rdcsolve.certificates.reductions import reduced
from rdcsolve.certificates.shares import ShareBounds

pytest.importorskip("flint")

from rdcsolve.certificates.exponential import PROVED  # noqa: E402


def random_joins(rng, sizes):
    joins, first = [], 0
    for size in sizes:
        alive = list(range(first, first + size))
        first += size
        while len(alive) > 1:
            pair = [alive.pop(int(rng.integers(len(alive)))) for _ in range(2)]
            alive.append(sum(sizes) + len(joins))
            joins.append(pair)
    return np.array(joins, dtype=np.int32)


def random_part(rng, elementary):
    sizes = [int(rng.integers(2, 9)) for _ in range(int(rng.integers(1, 3)))]
    rows = int(rng.integers(4, 30))
    labels = [rng.dirichlet(np.full(size, rng.choice([0.1, 0.3, 1.0])), rows) + 1e-12 for size in sizes]
    labels = [label / label.sum(axis=1, keepdims=True) for label in labels]
    (part,) = reduced(labels, rng.uniform(0.6, 6, len(sizes)).tolist(), rows, elementary).parts
    return part


def random_law(rng, part, log_weights):
    """A law of the rows: any, or one near that of a local maximum, where bounds are tight."""
    law = rng.dirichlet(np.full(log_weights.size, rng.choice([0.05, 0.3, 1.0, 10.0]))) + 1e-300
    if rng.random() < 0.5:
        for _ in range(200):
            place = part.powers @ law
            for a, b in part.labels:
                place[a:b] /= place[a:b].sum()
            exponents = log_weights + np.log(np.maximum(place, 1e-300)) @ part.powers - part.top
            law = np.exp(exponents - exponents.max())
        law = law * np.exp(rng.normal(size=law.size) * 10.0 ** -rng.uniform(0, 6))
    return law / law.sum()


def entropy(x):
    return -(x * np.log(np.where(x > 0, x, 1)) + (1 - x) * np.log(np.where(x < 1, 1 - x, 1)))


@pytest.mark.parametrize("elementary", [FLOAT, PROVED], ids=["float", "ball"])
def test_random_cells_against_random_laws(elementary):
    rng = np.random.default_rng(0)
    tight = 0
    for _ in range(40):
        part = random_part(rng, elementary)
        n, joins = part.n_classes, random_joins(rng, [b - a for a, b in part.labels])
        bounds = ShareBounds(part, joins, elementary)
        for _ in range(5):
            log_weights = rng.normal(size=part.powers.shape[1]) * rng.choice([0.1, 1.0, 4.0])
            law = random_law(rng, part, log_weights)
            masses = np.r_[part.powers @ law, np.zeros(len(joins))]
            for v, (a, b) in enumerate(joins):
                masses[n + v] = masses[a] + masses[b]
            shares = masses[joins[:, 0]] / masses[n:]
            attained = law @ (log_weights - part.top - np.log(law)) - masses[n:] @ entropy(shares)
            width = 10.0 ** -rng.uniform(0, 4)
            lows = np.maximum(shares - width * rng.random(len(joins)), 0)[None]
            highs = np.minimum(shares + width * rng.random(len(joins)), 1)[None]
            forms = rng.integers(0, 10, lows.shape)
            slopes = rng.normal(size=lows.shape) * 10.0 ** rng.uniform(-3, 1) * (rng.random(lows.shape) < 0.7)
            places = np.maximum(masses[:n] * np.exp(rng.normal(size=n) * 10.0 ** -rng.uniform(0, 4)), 1e-30)
            near = np.clip(shares + rng.normal(size=shares.size) * 10.0 ** -rng.uniform(1, 8), 1e-12, 1 - 1e-12)
            with np.errstate(all="ignore"):
                weights = np.exp(log_weights)
                by_tangent = float(bounds._tangents(weights, lows, highs, forms, slopes, places[None])[0])
                around = bounds._around(bounds._letter(weights, near), lows, highs)
            assert math.log(by_tangent) >= attained - 1e-13
            assert math.log(around) >= attained - 1e-13
            tight += math.log(min(by_tangent, around)) < attained + 1e-3
    assert tight > 20


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("elementary", [FLOAT, PROVED], ids=["float", "ball"])
def test_cells_around_a_saddle_have_what_rises_from_it(elementary, n):
    """Equal decisions are stationary for equal classes, and no maximum at large multipliers."""
    rng = np.random.default_rng(n)
    (part,) = reduced([0.8 * np.eye(n) + 0.2 / n], [4.0], n, elementary).parts
    joins = random_joins(rng, [n])
    bounds = ShareBounds(part, joins, elementary)
    letter = bounds._letter(np.ones(n), shares_of(part, joins, np.full(n, 1 / n))[0])
    for _ in range(50):
        law = np.full(n, 1 / n) + 0.1 * rng.dirichlet(np.ones(n)) - 0.1 / n
        shares, masses = shares_of(part, joins, law)
        attained = law @ (-part.top - np.log(law)) - masses @ entropy(shares)
        reach = np.abs(shares - letter.shares)
        with np.errstate(all="ignore"):
            bound = bounds._around(letter, (letter.shares - reach)[None], (letter.shares + reach)[None])
        assert math.log(bound) >= attained - 1e-13
        assert attained > math.log(letter.price)


def shares_of(part, joins, law):
    n = part.n_classes
    masses = np.r_[part.powers @ law, np.zeros(len(joins))]
    for v, (a, b) in enumerate(joins):
        masses[n + v] = masses[a] + masses[b]
    return masses[joins[:, 0]] / masses[n:], masses[n:]


# ------------------------------------------------------------------------------------- proofs that were changed


@pytest.fixture(scope="module")
def solved():
    rng = np.random.default_rng(3)
    p, label = rng.dirichlet(np.ones(14)), rng.dirichlet(np.full(5, 0.3), 14)
    problem = rdc.Problem.from_arrays(p, rng.random((14, 2)), label, C=math.inf)
    problem = problem.at_multipliers(distortion=1.0, label_entropy=2.5)
    result = rdc.solve(problem, tolerance=1e-5)
    assert result.proof is rdc.Proof.CERTIFIED
    return result, problem


def changed(result, **arrays):
    """The certificate with other arrays of its cells of shares."""
    held = result.certificate.proof.packed()
    held |= {f"0_share_{name}": change(held[f"0_share_{name}"].copy()) for name, change in arrays.items()}
    return dataclasses.replace(result.certificate, proof=unpacked(held))


def put(index, value):
    def change(values):
        values[index] = value
        return values

    return change


MALFORMED = {
    "a tree is cut off": {"cuts": lambda cuts: cuts[:-2]},
    "a cell is cut twice": {"at": lambda at: np.r_[at, 0.5]},
    "a cut outside": {"at": put(1, 1.5)},
    "an unknown join": {"cuts": put(0, 99)},
    "a letter that is not there": {"near": put(0, 9999)},
    "a form that is none": {"forms": put((0, 0), 10)},
    "a place at zero": {"places": put((0, 0), 0.0)},
    "a slope that is no number": {"slopes": put((0, 0), np.nan)},
    "a letter outside": {"letters": put((0, 0), 1.0)},
    "columns out of order": {"columns": lambda columns: columns[::-1]},
    "sizes that do not fit": {"sizes": put(0, 1)},
    "joins of reals": {"joins": lambda joins: joins.astype(float)},
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_malformed_proofs_are_refused(fault, solved):
    with pytest.raises(rdc.InvalidInput, match="the proof of the largest price is malformed"):
        changed(solved[0], **MALFORMED[fault])


def test_arrays_that_are_missing_are_refused(solved):
    held = solved[0].certificate.proof.packed()
    del held["0_share_at"]
    with pytest.raises(rdc.InvalidInput, match="arrays of shares are missing"):
        unpacked(held)


REFUSED = {
    "a leaf that is cut before": {"cuts": lambda cuts: np.r_[cuts[:1], cuts[:0:-1]]},
    "joins of joined ones": {"joins": put(1, [0, 1])},
    "columns of another problem": {"columns": lambda columns: columns + 7},
    "a cut at the end of its cell": {"at": put(slice(None), 1e-300)},
}


@pytest.mark.parametrize("fault", REFUSED)
def test_trees_that_do_not_cover_everything_are_refused(fault, solved):
    result, problem = solved
    found = changed(result, **REFUSED[fault]).verify(problem)
    assert not (found.valid and found.proved)
    assert found.lower < result.certificate.lower


TAMPERED = {
    "cuts moved": {"at": lambda at: at * 0.9},
    "slopes turned": {"slopes": np.negative},
    "places moved": {"places": lambda places: places[::-1]},
    "other forms": {"forms": lambda forms: 9 - forms},
    "letters moved": {"letters": lambda letters: np.clip(letters * 0.99, 1e-9, 1 - 1e-9)},
    "all near a letter": {"near": lambda near: np.maximum(near, 0), "forms": lambda x: x[:0], "slopes": lambda x: x[:0]}
    | {"places": lambda x: x[:0]},
}


@pytest.mark.parametrize("arithmetic", ["float", "ball"])
@pytest.mark.parametrize("change", TAMPERED)
def test_changed_proofs_prove_less_or_nothing(change, arithmetic, solved):
    result, problem = solved
    found = changed(result, **TAMPERED[change]).verify(problem, arithmetic)
    assert not found.valid
    assert found.lower < result.certificate.lower


@pytest.mark.parametrize("seed", range(20))
def test_random_changes_never_prove_what_is_false(seed, solved):
    """Whatever a proof says, the bound that is found in it is below what is attained."""
    result, problem = solved
    rng = np.random.default_rng(seed)
    noise = 10.0 ** -rng.uniform(0, 6)
    found = changed(
        result,
        slopes=lambda slopes: slopes + noise * rng.normal(size=slopes.shape),
        places=lambda places: np.minimum(places * np.exp(noise * rng.normal(size=places.shape)), 1.9),
        letters=lambda letters: np.clip(letters + noise * rng.normal(size=letters.shape), 1e-9, 1 - 1e-9),
        forms=lambda forms: np.where(rng.random(forms.shape) < 0.1, rng.integers(0, 10, forms.shape), forms),
    ).verify(problem)
    assert found.lower <= result.objective_upper + 1e-12
