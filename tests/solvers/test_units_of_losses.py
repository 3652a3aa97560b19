"""Answers do not depend on the units that losses are in, but for the unit of the answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc


def drawn(seed, minimised, units):
    """Up to three losses in their units, and a label, within what a random channel has; or the first loss minimised."""
    rng = np.random.default_rng(seed)
    n, k, count = rng.integers(2, 6), rng.integers(2, 7), rng.integers(1, 4)
    p, losses, label = rng.dirichlet(np.full(n, 2.0)), rng.random((count, n, k)), rng.dirichlet(np.ones(2), size=n)
    channel = rng.dirichlet(np.full(k, 0.7), size=n)
    joint = p[:, None] * channel
    limits = [
        rdc.LossLimit(np.inf if minimised and not m else float((joint * loss).sum()) * unit, loss * unit, f"l{m}")
        for m, (loss, unit) in enumerate(zip(losses, units, strict=False))
    ]
    seen = label.T @ joint
    limits.append(rdc.LabelEntropyLimit(float(-(seen * np.log(seen / joint.sum(axis=0))).sum())))
    if minimised:
        limits.append(rdc.RateLimit(float((joint * np.log(channel / (p @ channel))).sum())))
    source = rdc.Source(np.arange(float(n)), p, labels=[label])
    options = {"minimise": "l0"} if minimised else {}
    return rdc.Problem(source, reproduction=np.arange(float(k)), limits=limits, **options)


@pytest.mark.parametrize("minimised", [False, True])
@settings(max_examples=12)
@given(st.integers(0, 2**32 - 1), st.tuples(*[st.integers(-10, 10)] * 3))
def test_losses_beside_labels_may_be_in_any_units(minimised, seed, exponents):
    # rounds were solved to a gap in the unit of the loss: at 1e-6 to a thousandth of it
    units = 10.0 ** np.array(exponents)
    plain, other = (rdc.solve(drawn(seed, minimised, one)) for one in (np.ones(3), units))
    assert (plain.status, other.status) == (rdc.Status.OPTIMAL, rdc.Status.OPTIMAL)
    unit = units[0] if minimised else 1.0
    slack = 1e-12 * (1 + plain.objective_upper)
    assert other.objective_lower / unit <= plain.objective_upper + slack
    assert plain.objective_lower <= other.objective_upper / unit + slack
