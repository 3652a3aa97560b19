"""Information quantities: identities on random channels with zero masses, and values known in closed form."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rdcsolve.errors import InvalidInput
from rdcsolve.information import (
    binary_entropy,
    conditional_entropy,
    entropy,
    inverse_binary_entropy,
    mutual_information,
    nats_to_bits,
    relative_entropy,
)

# Zeros are common, and masses may differ by hundreds of decades.
_WEIGHTS = st.one_of(st.just(0.0), st.floats(1e-3, 1.0), st.floats(1e-320, 1e-150))
_SIZES = st.integers(1, 5)


@st.composite
def distributions(draw, n):
    weights = draw(arrays(float, n, elements=_WEIGHTS))
    weights[draw(st.integers(0, n - 1))] = 1.0
    return weights / weights.sum()


@st.composite
def channels(draw, n_x, n_y):
    return np.array([draw(distributions(n_y)) for _ in range(n_x)])


@st.composite
def inputs_and_channels(draw):
    n_x, n_y = draw(_SIZES), draw(_SIZES)
    return draw(distributions(n_x)), draw(channels(n_x, n_y))


@given(inputs_and_channels())
def test_mutual_information_lies_between_zero_and_the_entropies(case):
    p, channel = case
    rate = mutual_information(p, channel)
    assert 0.0 <= rate <= min(entropy(p), entropy(p @ channel)) + 1e-12


@given(inputs_and_channels())
def test_chain_rule(case):
    p, channel = case
    joint = p[:, None] * channel
    noise = sum(mass * entropy(row) for mass, row in zip(p, channel, strict=True))
    assert entropy(joint) == pytest.approx(entropy(p) + noise, abs=1e-12)
    assert mutual_information(p, channel) == pytest.approx(entropy(p @ channel) - noise, abs=1e-12)


@given(inputs_and_channels())
def test_mutual_information_is_a_relative_entropy(case):
    p, channel = case
    joint = p[:, None] * channel
    product = p[:, None] * (p @ channel)[None, :]
    # Where a product of tiny masses underflows, the divergence would be infinite: leave those out.
    joint = np.where(product > 0, joint, 0.0)
    assert mutual_information(p, channel) == pytest.approx(relative_entropy(joint, product), abs=1e-12)


@given(st.data())
def test_data_processing(data):
    n_x, n_y, n_z = data.draw(_SIZES), data.draw(_SIZES), data.draw(_SIZES)
    p, first, second = (
        data.draw(distributions(n_x)),
        data.draw(channels(n_x, n_y)),
        data.draw(channels(n_y, n_z)),
    )
    assert mutual_information(p, first @ second) <= mutual_information(p, first) + 1e-12


@given(st.data())
def test_conditional_entropy_is_what_the_letter_leaves_unknown(data):
    n_x, n_s, n_y = data.draw(_SIZES), data.draw(_SIZES), data.draw(_SIZES)
    p, label, channel = (
        data.draw(distributions(n_x)),
        data.draw(channels(n_x, n_s)),
        data.draw(channels(n_x, n_y)),
    )
    joint = (p[:, None] * label).T @ channel
    left = conditional_entropy(p, label, channel)
    assert left == pytest.approx(entropy(joint) - entropy(joint.sum(axis=0)), abs=1e-12)
    # S - X - A: between H(S|X) and H(S), and the shortfall from H(S) is at most I(X;A)
    assert conditional_entropy(p, label, np.eye(n_x)) - 1e-12 <= left <= entropy(p @ label) + 1e-12
    assert entropy(p @ label) - left <= mutual_information(p, channel) + 1e-12


@given(inputs_and_channels())
def test_zero_mass_symbols_and_unused_letters_change_nothing(case):
    p, channel = case
    padded = np.zeros((p.size + 1, channel.shape[1] + 1))
    padded[:-1, :-1] = channel
    padded[-1] = np.nan  # a row of zero mass is not looked at
    rate = mutual_information(np.append(p, 0.0), padded)
    assert rate == pytest.approx(mutual_information(p, channel), abs=1e-15)


@given(st.data())
def test_relative_entropy_is_zero_only_at_equality(data):
    n = data.draw(_SIZES)
    p, q = data.draw(distributions(n)), data.draw(distributions(n))
    divergence = relative_entropy(p, q)
    assert relative_entropy(p, p) == 0.0
    assert divergence >= 0.5 * np.abs(p - q).sum() ** 2 - 1e-12  # Pinsker


def test_values_in_closed_form():
    assert entropy([0.25] * 4) == pytest.approx(math.log(4), abs=1e-15)
    assert entropy([0.0, 1.0, 0.0]) == 0.0
    assert relative_entropy([1.0, 0.0], [0.0, 1.0]) == math.inf
    assert relative_entropy([1.0, 0.0], [0.5, 0.5]) == pytest.approx(math.log(2))
    flip = np.array([[0.9, 0.1], [0.1, 0.9]])
    assert mutual_information([0.5, 0.5], flip) == pytest.approx(math.log(2) - binary_entropy(0.1), abs=1e-15)
    assert mutual_information([0.3, 0.7], [[0.4, 0.6], [0.4, 0.6]]) == pytest.approx(0.0, abs=1e-15)
    assert conditional_entropy([0.5, 0.5], flip, np.eye(2)) == pytest.approx(binary_entropy(0.1), abs=1e-15)
    assert conditional_entropy([0.5, 0.5], np.eye(2), np.eye(2)) == 0.0


def test_masses_too_small_for_their_product_do_not_make_the_rate_infinite():
    rate = mutual_information([1.0 - 1e-300, 1e-300], [[1.0, 0.0], [1.0 - 1e-30, 1e-30]])
    assert 0.0 <= rate < 1e-290


@given(st.floats(1e-300, 0.49))
def test_inverse_binary_entropy_inverts(p):
    assert inverse_binary_entropy(binary_entropy(p)) == pytest.approx(p, rel=1e-11)


def test_binary_entropy_at_its_ends_and_on_arrays():
    assert binary_entropy(0.0) == binary_entropy(1.0) == 0.0
    assert binary_entropy(0.5) == pytest.approx(math.log(2), abs=1e-16)
    assert inverse_binary_entropy(0.0) == 0.0
    assert inverse_binary_entropy(math.log(2)) == 0.5
    p = np.array([0.0, 0.1, 0.4, 0.5])
    np.testing.assert_allclose(binary_entropy(p), binary_entropy(1 - p), atol=1e-16)
    np.testing.assert_allclose(inverse_binary_entropy(binary_entropy(p)), p, atol=1e-8)
    assert nats_to_bits(math.log(2)) == 1.0
    assert isinstance(binary_entropy(0.2), float)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: entropy([0.5, 0.6]), r"p sums to 1\.1; divide it by its sum"),
        (lambda: entropy([1.5, -0.5]), r"p holds -0\.5; masses must be finite and non-negative"),
        (lambda: entropy([1.0, math.nan]), r"p holds nan; masses must be finite"),
        (lambda: entropy([1.0, math.inf]), r"p holds inf; masses must be finite"),
        (lambda: relative_entropy([1.0], [0.5, 0.5]), r"shape \(1,\) but q has \(2,\)"),
        (lambda: mutual_information([1.0], [[0.5, 0.4]]), r"row 0 of channel sums to 0\.9; divide"),
        (lambda: mutual_information([0.0, 1.0], [[0.0, 0.0], [0.5, 0.7]]), r"row 1 of channel sums to 1\.2"),
        (lambda: mutual_information([0.5, 0.5], [[1.0]]), r"shape \(1, 1\) and p_x \(2,\)"),
        (lambda: conditional_entropy([1.0], [[0.7]], [[1.0]]), r"row 0 of p_s_given_x sums to 0\.7"),
        (lambda: binary_entropy(1.2), r"p is 1\.2; it must lie in \[0, 1\]"),
        (lambda: inverse_binary_entropy(0.8), r"h is 0\.8; it must lie in \[0, 0\.693147\]"),
        (lambda: inverse_binary_entropy(math.nan), r"h is nan; it must lie in"),
    ],
)
def test_what_is_not_a_distribution_is_refused(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
