"""Problems kept as arrays by name: every part of one is known, and no other name is passed over."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import SeparableLoss
from rdcsolve.problems.storage import arrays_of, check_names, problem_of
from rdcsolve.testing.problem_strategies import problems

KNOWN = ("p_x", "points", "reproduction", "distortion", "rate_bound", "minimise", "bound_miss", "multiplier_miss")


@given(problems())
def test_all_that_is_written_is_known(problem):
    check_names(arrays_of(problem), "it")


@given(st.sampled_from(KNOWN), st.data())
def test_one_slip_in_a_name_is_told(name, data):
    place = data.draw(st.integers(0, name.find("_") - 1 if "_" in name else len(name) - 1))
    letter = data.draw(st.sampled_from("xyzq"))
    slip = data.draw(st.sampled_from([name[:place] + name[place + 1 :], name[:place] + letter + name[place + 1 :]]))
    with pytest.raises(InvalidInput, match=f"holds the array {slip}, which is no part of a problem; "):
        check_names([slip], "it")


def test_the_name_that_was_meant_is_told():
    arrays = {"p_x": np.array([0.7, 0.3]), "distortion": 1.0 - np.eye(2)}
    with pytest.raises(InvalidInput, match="holds the array bond_distortion, .* did you mean bound_distortion"):
        problem_of(arrays | {"bond_distortion": np.array(0.01)}, "coin.npz")
    with pytest.raises(InvalidInput, match="holds the array D, .* leave it out"):
        problem_of(arrays | {"D": np.array(0.01)}, "coin.npz")


def test_a_source_may_stand_beside_other_arrays_but_not_misspelt_ones(tmp_path):
    np.savez(tmp_path / "more.npz", p_x=[0.7, 0.3], labels_0=np.eye(2), note=7)
    assert len(rdc.sources.from_npz(tmp_path / "more.npz").labels) == 1
    np.savez(tmp_path / "slip.npz", p_x=[0.7, 0.3], label_0=np.eye(2))
    with pytest.raises(InvalidInput, match="label_0, .* did you mean labels_0"):
        rdc.sources.from_npz(tmp_path / "slip.npz")


@st.composite
def on_grids(draw):
    """A problem with losses that are sums over the axes of one to three, and perhaps one that is a matrix."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sides = [(draw(st.integers(1, 4)), draw(st.integers(1, 3))) for _ in range(draw(st.integers(1, 3)))]
    first, second = (SeparableLoss([rng.random(side) for side in sides]) for _ in range(2))
    losses = draw(st.permutations([first, second, first.block()]))
    limits = [rdc.LossLimit(0.5, loss, name) for loss, name in zip(losses[1:], ("tail_0", "axis_1"), strict=True)]
    return rdc.Problem(rdc.Source(None, rng.dirichlet(np.ones(first.shape[0]))), distortion=losses[0], limits=limits)


@given(on_grids())
def test_losses_on_grids_are_kept_by_their_axes(problem):
    arrays = {key: np.asarray(value) for key, value in arrays_of(problem).items()}
    again = problem_of(arrays, "again")
    assert again.fingerprint() == problem.fingerprint()
    assert again.loss_names == problem.loss_names
    kinds = [type(loss.structure) for loss in problem.losses]
    assert [type(loss.structure) for loss in again.losses] == kinds


@pytest.mark.parametrize("slip", ["axis_1_distortion", "axis_3_distortion", "distortion", "axis_00_distortion"])
def test_axes_that_do_not_make_a_loss_are_refused(slip):
    arrays = {"p_x": np.full(4, 0.25)} | {f"axis_{d}_distortion": 1.0 - np.eye(2) for d in range(2)}
    assert problem_of(arrays, "it").losses[0].shape == (4, 4)
    held = arrays.pop(slip, np.zeros((4, 4)))
    arrays |= {} if slip == "axis_1_distortion" else {slip: held}
    if slip == "axis_1_distortion":
        arrays["axis_2_distortion"] = held
    with pytest.raises(InvalidInput, match=r"give a loss by one table per axis|which is no part of a problem"):
        problem_of(arrays, "it")
