"""Sources stated by a table p(x, s)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc


@given(st.integers(0, 2**32 - 1))
def test_a_table_is_its_masses_and_conditionals(seed):
    rng = np.random.default_rng(seed)
    n_x, n_s = rng.integers(1, 7, 2)
    joint = rng.random((n_x, n_s)) * (rng.random((n_x, n_s)) < 0.8)
    joint[0, 0] = 0.5
    joint /= joint.sum()
    source = rdc.Source.from_joint(joint)
    assert np.allclose(source.p_x[:, None] * source.labels[0], joint, rtol=0, atol=1e-15)
    assert np.allclose(source.labels[0].sum(axis=1), 1)
    counts = rdc.Source.from_joint(np.round(joint * 1e6) + (joint > 0), normalise=True)
    assert np.allclose(counts.p_x, source.p_x, atol=1e-4)


def test_names_of_a_frame_are_the_classes():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"cat": [0.4, 0.1], "dog": [0.2, 0.3]})
    source = rdc.Source.from_joint(frame, name="pets")
    assert source.classes == (("cat", "dog"),)
    assert source.p_x.tolist() == pytest.approx([0.6, 0.4])


def test_float32_tables_sum_to_one_nearly():
    joint = np.random.default_rng(0).dirichlet(np.ones(300)).astype(np.float32).reshape(30, 10)
    assert rdc.Source.from_joint(joint).p_x.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ([0.5, 0.5], r"p_xs has shape \(2,\); give one row per symbol and one column per class"),
        ([[0.5, 0.4]], "sums to 0.9"),
        ([[0.5, -0.5], [0.5, 0.5]], r"p_xs \(row by row\)\[1\] is -0.5"),
        ([[np.nan, 1.0]], r"\[0\] is nan"),
        ([[3, 1], [0, 2]], "sums to 6; pass normalise=True"),
    ],
)
def test_other_tables_are_refused(table, told):
    with pytest.raises(rdc.InvalidInput, match=told):
        rdc.Source.from_joint(table)
