"""Under absolute error on the line the source's own points are letters enough, weighted or not, with labels or not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import entr

import rdcsolve as rdc


def entropies(rows):
    return entr(rows).sum(axis=-1)


@given(st.integers(0, 2**32), st.booleans(), st.booleans())
def test_no_other_letter_lowers_the_rate_under_absolute_error(seed, is_weighted, has_label):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    x, p = np.sort(rng.normal(size=n)), rng.dirichlet(np.ones(n))
    w = rng.uniform(0.2, 3.0, n) if is_weighted else np.ones(n)
    others = np.r_[x, rng.uniform(x[0] - 1, x[-1] + 1, 25)]
    label = rng.dirichlet(np.ones(2), n)
    answers = []
    own_loss = w[:, None] * np.abs(x[:, None] - x)
    D = rng.uniform(0.2, 0.9) * float((p @ own_loss).min())
    least, most = float(p @ entropies(label)), float(entropies(p @ label))
    limits = {"D": D, "C": least + 0.7 * (most - least)} if has_label else {"D": D}
    for letters in (x, others):
        loss = w[:, None] * np.abs(x[:, None] - letters)
        answers.append(rdc.solve(rdc.Problem.from_arrays(p, loss, label if has_label else None, **limits)))
    own, more = answers
    assert own.proof is more.proof is rdc.Proof.CERTIFIED
    assert own.rate_lower <= more.rate_upper + 1e-12
    assert more.rate_lower <= own.rate_upper <= more.rate_lower + 1e-5


@given(st.integers(0, 2**32))
def test_free_letters_under_absolute_error_are_the_points_of_the_source(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    x, p = rng.normal(size=n), rng.dirichlet(np.ones(n))
    source = rdc.Source(x, p, labels=[rng.dirichlet(np.ones(2), n)])
    limits = [rdc.DistortionLimit(rng.uniform(0.1, 1.0)), rdc.LabelEntropyLimit(np.inf)]
    free = rdc.Problem(source, "free", "absolute", limits)
    assert free == rdc.Problem(source, None, "absolute", limits)
    assert free.fingerprint() == rdc.Problem(source, x, "absolute", limits).fingerprint()


@pytest.mark.parametrize(
    ("points", "options", "words"),
    [
        ([0.0, 1.0], {"letters": "fixed"}, "needs listed letters"),
        ([[0.0, 1.0], [1.0, 0.0]], {}, "on the line, 'absolute'"),
        ([0.0, 1.0], {"limits": [rdc.PerceptionLimit(0.1, "tv")]}, "needs listed letters"),
        ([0.0, 1.0], {"limits": [rdc.LossLimit(0.1, [[0, 1], [0, 1]], "late")]}, "needs listed letters"),
    ],
)
def test_what_looks_at_a_letters_place_is_refused(points, options, words):
    with pytest.raises(rdc.errors.InvalidInput, match=words):
        rdc.Problem(rdc.Source(points, [0.5, 0.5]), "free", "absolute", **options)
