"""Under absolute error on the line the source's own points are letters enough, weighted or not, with labels or not."""

import numpy as np
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
