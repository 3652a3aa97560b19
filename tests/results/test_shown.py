"""What results, problems and sources are to notebooks, to other programmes, and to one another."""

import html.parser
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.explore import to_dataframe
from rdcsolve.markup import html_table

COIN = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], np.eye(2), D=0.1, C=0.3)


class Reader(html.parser.HTMLParser):
    """Collects texts, and sees that every tag is closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def texts(shown):
    return Reader(shown._repr_html_()).texts


@given(st.text(), st.lists(st.text(), min_size=1, max_size=3), st.text())
def test_cells_are_escaped(title, cells, note):
    found = Reader(html_table(title, cells, [cells], [note])).texts
    assert "".join(found).replace("\r", "\n") == "".join([title, *cells, *cells, note]).replace("\r", "\n")


def test_sources_and_problems():
    source = rdc.Source([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]], [0.5, 0.5, 0.0], [np.eye(3)], name="three <b>")
    assert {"Source three <b>", "2", "0.693147 nat", "3 classes"} <= set(texts(source))
    assert {"distortion <= 0.1", "label_entropy <= 0.3", "2, split"} <= set(texts(COIN))
    assert "2.5 * distortion + 0 * label_entropy" in texts(COIN.at_multipliers(distortion=2.5))


def test_results_and_verdicts():
    result = rdc.solve(COIN)
    shown = texts(result)
    assert shown[0].startswith("OPTIMAL, CERTIFIED")
    assert {"distortion", "label_entropy", f"{result.losses['distortion']:.10g}"} <= set(shown)
    assert any(text.startswith("rate in [") for text in shown)
    assert texts(result.verify(COIN))[0].startswith("valid in float arithmetic")
    none = rdc.solve(COIN.with_limits(rate=0.01))
    assert texts(none)[0].startswith("INFEASIBLE")
    assert "rate" in texts(none)


def test_universal_rates_and_regions():
    problem = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], losses={"other": [[1, 0], [0, 1.0]]})
    found = rdc.universal_rate(problem, [{"distortion": 0.1}, {"other": 0.4}])
    shown = texts(found)
    assert any("R(Theta) in [" in text for text in shown)
    assert sum("<=" in text for text in shown) == 2
    assert texts(found.verify(problem))[0].startswith("valid")
    region = rdc.achievable_region(np.eye(2), problem)
    assert {"distortion", "other"} <= set(texts(region))


# ------------------------------------------------------------------------------------------------ numbers


def test_a_result_is_numbers_for_json():
    result = rdc.solve(COIN)
    again = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert again["lower"] == result.objective_lower
    assert again["losses"] == result.losses
    assert again["multipliers"] == result.multipliers
    assert (again["status"], again["proof"], again["unit"]) == ("OPTIMAL", "CERTIFIED", "nat")
    none = rdc.solve(COIN.with_limits(rate=0.01))
    told = json.loads(json.dumps(none.to_dict(), allow_nan=False))
    assert told["status"] == "INFEASIBLE"
    assert told["minimum"] == none.minimum


def test_an_infinite_multiplier_is_a_word():
    exact = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=0.3, P=0.0, perception="tv")
    result = rdc.solve(exact)
    assert result.multipliers["perception"] == np.inf
    assert result.to_dict()["multipliers"]["perception"] == "inf"


@pytest.mark.parametrize("axes", [{"D": [0.05, 0.1, 0.2]}, {"D": [0.05, 0.1], "C": [0.2, 0.4]}])
def test_a_sweep_is_a_frame_with_one_row_a_point(axes):
    data = rdc.sweep(COIN, **axes)
    frame = to_dataframe(data)
    assert len(frame) == np.prod([len(values) for values in axes.values()])
    for _, row in frame.iterrows():
        point = data.sel({name: row[name] for name in axes})
        assert row["rate_upper"] == float(point["rate_upper"])
        assert row["status"] == str(point["status"].item())
        for name in data["loss"].values:
            assert row[f"losses_{name}"] == float(point["losses"].sel(loss=name))
            assert row[f"multipliers_{name}"] == float(point["multipliers"].sel(loss=name))
    assert frame.attrs["unit"] == "nat"


def test_a_trade_off_is_a_frame_too():
    data = rdc.tradeoff(COIN.with_limits(D=None, C=None), 0.3, "C", [0.3, 0.5])
    assert to_dataframe(data)["objective_upper"].tolist() == data["objective_upper"].values.tolist()
    with pytest.raises(rdc.InvalidInput, match="pass the dataset of sweep or tradeoff"):
        to_dataframe([1, 2])


# ------------------------------------------------------------------------------------------------ equality


def test_problems_are_equal_if_all_that_is_stated_is():
    again = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], np.eye(2), D=0.1, C=0.3)
    assert again == COIN
    assert hash(again) == hash(COIN)
    others = [
        COIN.with_limits(D=0.2),
        COIN.with_limits(C=None),
        COIN.with_limits(rate=0.5),
        COIN.minimising("distortion", rate=0.5),
        COIN.at_multipliers(distortion=1.0),
        COIN.at_multipliers(distortion=2.0),
        COIN.in_unit("bit"),
        rdc.Problem.from_arrays([0.6, 0.4], [[0, 1], [1, 0]], np.eye(2), D=0.1, C=0.3),
        rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], np.eye(2), D=0.1, C=0.3, letters="fixed"),
        rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=0.1),
    ]
    assert len({COIN, *others}) == 1 + len(others)
    assert COIN != "a problem"


# ------------------------------------------------------------------------------------------------ solvers by name


@pytest.mark.parametrize("name", ["interior-point", "column_generation", "Interior Point"])
def test_solvers_have_names(name):
    by_name = rdc.solve(COIN.with_limits(C=None), name)
    assert by_name.proof is rdc.Proof.CERTIFIED
    assert name.lower().replace("-", " ").replace("_", " ") in by_name.method


def test_solvers_of_other_names():
    with pytest.raises(
        rdc.InvalidInput, match="solver is 'simplex'; give one of 'interior-point', 'column-generation'"
    ):
        rdc.solve(COIN, "simplex")
    with pytest.raises(rdc.InvalidInput, match="letters are not fixed"):
        rdc.sweep(COIN, D=[0.1], solver="alternation")
