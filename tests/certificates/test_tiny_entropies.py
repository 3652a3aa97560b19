"""Label entropies in ball arithmetic are known to a share of themselves, however near to certainty a label is."""

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc

CHECKER = Path(__file__).parents[2] / "docs" / "reference" / "check_certificate.py"


def nearly_certain(seed, exponent, n_classes):
    """A label of which all but 10^exponent is one class, the same for all symbols."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(3))
    label = rng.dirichlet(np.ones(n_classes), size=3) * 10.0**exponent
    label[:, 0] = 1 - label[:, 1:].sum(axis=1)
    return p, label


def exact_entropy(flint, p, label):
    """H(S) from 3000 bits, by the plain formula: far more than what cancels in it."""
    with flint.ctx.workprec(3000):
        p, rows = [flint.arb(w) for w in p.tolist()], [[flint.arb(w) for w in row] for row in label.tolist()]
        rows = [[w / sum(row) for w in row] for row in rows]
        laws = [sum(w * row[s] for w, row in zip(p, rows, strict=True)) / sum(p) for s in range(label.shape[1])]
        return -sum((w * w.log() for w in laws), flint.arb(0))


def checker():
    specification = importlib.util.spec_from_file_location("checker_of_tiny_entropies", CHECKER)
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


@given(st.integers(0, 10**6), st.integers(-280, -1), st.integers(2, 4))
def test_a_channel_at_the_entropy_of_the_label_is_within_a_limit_just_above(seed, exponent, n_classes):
    flint = pytest.importorskip("flint")
    p, label = nearly_certain(seed, exponent, n_classes)
    known = float(exact_entropy(flint, p, label).mid())
    problem = rdc.Problem.from_arrays(p, np.zeros((3, 1)), label, C=math.inf)
    result = rdc.solve(problem.with_limits(label_entropy=known * (1 + 1e-15)))
    assert result.rate_upper == 0
    assert result.certificate.verify(problem.with_limits(label_entropy=known * (1 + 1e-15)), "ball").valid
    below = result.certificate.verify(problem.with_limits(label_entropy=known * (1 - 1e-15)), "ball")
    assert below.excess["label_entropy"] > 0
    assert not below.valid


@given(st.integers(0, 10**6), st.integers(-280, -1), st.integers(2, 4))
def test_the_checker_in_one_file_knows_as_many_digits(seed, exponent, n_classes):
    flint = pytest.importorskip("flint")
    p, label = nearly_certain(seed, exponent, n_classes)
    module = checker()
    with flint.ctx.workprec(module.PRECISION):
        pairs = [(i, flint.arb(w) / sum(map(flint.arb, p.tolist()))) for i, w in enumerate(p.tolist())]
        found = module._entropy_of(pairs, module._shares(label))
        assert module._entropy_of([], module._shares(label)) == 0
    known = exact_entropy(flint, p, label)
    assert abs(found - known) < 1e-25 * known
