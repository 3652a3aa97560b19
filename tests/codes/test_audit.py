"""Audits of random codecs: no part is negative, the parts add up, the limits are those of a problem solved apart."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import rdcsolve as rdc
from rdcsolve.codes.audit import _Report
from rdcsolve.codes.audit_files import read_codec
from rdcsolve.codes.samples import Samples, read_samples
from rdcsolve.codes.slices import squared_distances
from rdcsolve.information import entropy

NAMES = ("length", "messages", "information sent", "information decoded", "least rate")


@st.composite
def codecs(draw):
    """Draw samples, an encoder that may be random, a decoder with merged words, labels and a classifier."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_points, dim = draw(st.integers(2, 8)), draw(st.integers(1, 3))
    n_messages, n_words, n_classes = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(2, 3))
    points = rng.normal(size=(n_points, dim)).round(2)
    symbol = rng.integers(n_points, size=draw(st.integers(4, 60)))
    words = rng.normal(size=(n_words, dim)).round(2)
    encoder = rng.dirichlet(np.full(n_messages, 0.3), size=n_points)
    if draw(st.booleans()):
        encoder = np.eye(n_messages)[rng.integers(n_messages, size=n_points)]
    messages = np.array([rng.choice(n_messages, p=encoder[i]) for i in symbol])
    decoder = rng.integers(n_words, size=n_messages)
    weights = rng.normal(size=(dim, n_classes))

    def classifier(x):
        scores = np.exp(x.reshape(len(x), -1) @ weights)
        return scores / scores.sum(axis=1, keepdims=True)

    labels = rng.integers(n_classes, size=symbol.size)
    labels[:n_classes] = np.arange(n_classes)
    letters = rng.normal(size=(draw(st.integers(1, 4)), dim)).round(2)
    stated = {"messages": messages.tolist(), "letters": letters, "n_bootstrap": 0}
    if draw(st.booleans()):
        stated |= {"labels": labels.tolist(), "classifier": classifier}
        stated["classifier_loss"] = draw(st.sampled_from(["cross_entropy", "error_rate"]))
    if draw(st.booleans()):
        extra = draw(st.floats(0, 2))
        stated["lengths"] = entropy(np.bincount(messages) / messages.size) + extra
    return points[symbol], words[decoder[messages]], stated


@given(codecs())
def test_no_part_is_negative_and_they_add_up(codec):
    x, x_hat, stated = codec
    found = rdc.audit(x, x_hat, **stated, time_limit=1)
    for parts, start, end in (
        (found.rate_parts, found["length"].value, found["least rate"]),
        (found.loss_parts, found["distortion"].value, found["least distortion at the length"]),
    ):
        assert all(0 <= part.lower <= part.value <= part.upper + 1e-15 for part in parts)
        assert math.fsum(part.value for part in parts) == pytest.approx(start - end.value, abs=1e-12)
        assert end.lower <= end.value == end.upper
    rates = [found[name].value for name in NAMES]
    assert all(one >= other - 1e-12 for one, other in zip(rates, rates[1:], strict=False))


@given(codecs())
def test_numbers_of_the_sample(codec):
    x, x_hat, stated = codec
    found = rdc.audit(x, x_hat, **stated, time_limit=1)
    messages = np.array(stated["messages"])
    assert found["distortion"].value == pytest.approx(((x - x_hat) ** 2).mean())
    counts = np.array([np.sum(messages == z) for z in set(stated["messages"])])
    assert found["messages"].value == pytest.approx(entropy(counts / counts.sum()))
    rows = [tuple(row) for row in x.tolist()]
    inside = 0.0
    for row in set(rows):
        mine = messages[[one == row for one in rows]]
        inside += mine.size / len(rows) * entropy(np.bincount(mine) / mine.size)
    assert found["information sent"].value == pytest.approx(found["messages"].value - inside, abs=1e-12)
    if "classifier" in stated:
        decided = stated["classifier"](x_hat)
        losses = -np.log(decided)
        if stated["classifier_loss"] == "error_rate":
            losses = 1.0 - np.eye(decided.shape[1])[decided.argmax(axis=1)]
        labels = np.eye(decided.shape[1])[stated["labels"]]
        shares = np.array([labels[[one == row for one in rows]].mean(axis=0) for row in rows])  # of equal samples
        assert found["classifier_loss"].value == pytest.approx((shares * losses).sum(axis=1).mean())


@given(codecs())
def test_limits_against_problems_stated_by_hand(codec):
    """The least rate and distortion over the same letters; the best decoder by enumeration."""
    x, x_hat, stated = codec
    stated = {key: value for key, value in stated.items() if key in ("messages", "letters", "lengths", "n_bootstrap")}
    found = rdc.audit(x, x_hat, **stated)
    messages = np.array(stated["messages"])
    means = [x[messages == z].mean(axis=0) for z in set(stated["messages"])]
    letters = np.concatenate([np.unique(x_hat, axis=0), means, stated["letters"]])
    problem = rdc.Problem(rdc.Source.from_samples(x), letters, "mean_squared_error")
    rate = rdc.solve(problem.with_limits(D=((x - x_hat) ** 2).mean()), tolerance=1e-6)
    assert found["least rate"].lower <= rate.rate_upper + 1e-9
    assert found["least rate"].upper >= rate.rate_lower - 1e-9
    best = sum(
        min(((x[messages == z] - letter) ** 2).mean(axis=1).sum() for letter in letters)
        for z in set(stated["messages"])
    )
    assert found["distortion, best decoder"].value == pytest.approx(best / len(x))
    least = rdc.solve(problem.minimising("distortion", rate=found["information sent"].value), tolerance=1e-6)
    line = found["least distortion at the rate sent"]
    assert line.lower <= least.objective_upper + 1e-9
    assert line.upper >= least.objective_lower - 1e-9


GRID = np.repeat(np.linspace(0, 1, 12), 20)[:, None]
SHOWN = np.round(GRID * 3) / 3
SENT = np.round(GRID[:, 0] * 3).astype(int)


@given(codecs(), st.sampled_from(["w2", "w1", "mmd"]))
@settings(max_examples=5)
def test_codecs_that_are_as_realistic(codec, measure):
    """The codec keeps the limits, so they are between those without realism and what it attains itself."""
    x, x_hat, stated = codec
    found = rdc.audit(x, x_hat, **stated, perception=measure, time_limit=1)
    assert all(0 <= part.lower <= part.value <= part.upper + 1e-15 for part in found.rate_parts)
    start = found["length"].value - found["least rate"].value
    assert math.fsum(part.value for part in found.rate_parts) == pytest.approx(start, abs=1e-12)
    assert [part.name for part in found.rate_parts[3:]] == ["shape of the channel", "realism"]
    rate, distortion = found["least rate as realistic"], found["least distortion as realistic"]
    assert found["least rate"].lower <= rate.lower <= rate.upper <= found["information decoded"].value + 1e-12
    plain = found["least distortion at the length"]
    assert plain.lower <= distortion.lower
    assert plain.upper <= distortion.upper <= found["distortion"].value + 1e-12
    counts = np.unique(np.array(x_hat), axis=0, return_counts=True)
    if measure == "w1" and x.shape[1] == 1:
        away = stats.wasserstein_distance(x[:, 0], counts[0][:, 0], None, counts[1])
        assert found["W1 of all samples"].value == pytest.approx(away, abs=1e-8)


def test_realism_costs_rate():
    """A codec whose reconstructions are samples themselves: the limit is that of a problem stated by hand."""
    rng = np.random.default_rng(0)
    x = np.repeat(np.arange(4.0), 40)
    x_hat = np.where(rng.random(160) < 0.7, x, rng.permutation(x))
    found = rdc.audit(x, x_hat, perception="w2", n_bootstrap=0)
    away = found["W2^2 of all samples"].value
    assert away == pytest.approx(((np.sort(x) - np.sort(x_hat)) ** 2).mean())
    letters = np.concatenate([np.arange(4.0), [x[x_hat == word].mean() for word in range(4)]])
    problem = rdc.Problem(rdc.Source.from_samples(x), letters, "mean_squared_error")
    limit = rdc.PerceptionLimit(away, "w2")
    alone = rdc.solve(problem.with_perception(limit).with_limits(D=found["distortion"].value), tolerance=1e-6)
    line = found["least rate as realistic"]
    assert line.lower <= alone.rate_upper + 1e-9
    assert line.upper >= alone.rate_lower - 1e-9
    assert found.rate_parts[-1].lower > 0.01
    with pytest.raises(rdc.InvalidInput, match="perception"):
        rdc.audit(x, x_hat, perception="fid")


def test_units_and_frames():
    labels = (GRID[:, 0] > 0.4).astype(int)
    in_nats = rdc.audit(GRID, SHOWN, SENT, lengths=2 * math.log(2), labels=labels, targets=[{"D": 0.02}, {"D": 1e-6}])
    in_bits = rdc.audit(GRID, SHOWN, SENT, lengths=2, labels=labels, targets=[{"D": 0.02}, {"D": 1e-6}], unit="bit")
    assert in_bits["length"].value == pytest.approx(2)
    for one, other in zip(in_nats.lines, in_bits.lines, strict=True):
        scale = math.log(2) if one.is_information else 1
        assert [one.value, one.lower] == pytest.approx([other.value * scale, other.lower * scale], nan_ok=True)
    frame = in_bits.to_frame()
    assert frame.loc["messages", "value"] == in_bits["messages"].value
    assert set(frame["kind"]) == {"exact for the sample", "certified", "estimated"}
    assert "encoder's randomness" in str(in_bits)
    assert "<table>" in in_bits._repr_html_()
    assert in_nats["encoder serves D <= 0.02"].value == 1
    assert in_nats["encoder serves D <= 1e-06"].value == 0
    assert any("no decoder of the messages keeps D <= 1e-06" in note for note in in_nats.notes)
    axes = in_bits.plot()
    assert len(axes[0].patches) == 5
    assert len(axes[1].patches) == 4


def test_penalty_of_reuse():
    found = rdc.audit(GRID, SHOWN, SENT, targets=[{"D": 0.02}, {"D": 0.03}], n_bootstrap=0)
    alone = rdc.solve(found.problem.with_limits(D=0.02))
    penalty = found["rate penalty of reuse"]
    assert penalty.lower <= found["information sent"].value - alone.rate_upper <= penalty.upper + 1e-9


def test_intervals_hold_the_number_of_the_population():
    """Of 40 samples of a codec whose numbers are known, the intervals of 95 % miss few."""
    rng = np.random.default_rng(5)
    misses = 0
    for _ in range(40):
        x = rng.choice([0.0, 1.0, 2.0], size=300, p=[0.5, 0.3, 0.2])
        line = rdc.audit(x, np.minimum(x, 1.0), n_bootstrap=100, rng=rng)["distortion"]
        misses += not line.lower <= 0.2 <= line.upper
    assert misses <= 6


@pytest.mark.parametrize(("n_messages", "n"), [(6, 60), (16, 100), (40, 150)])
def test_intervals_of_entropies_are_not_off_by_their_bias(n_messages, n):
    """Of 60 samples each, the intervals hold what samples of this size show on average, and what the population has."""
    rng = np.random.default_rng(n)
    p = rng.dirichlet(np.ones(n_messages))
    mean = np.mean([entropy(rng.multinomial(n, p) / n) for _ in range(2000)])
    misses = np.zeros(2)
    for _ in range(60):
        message = np.append(rng.choice(n_messages, size=n - 1, p=p), 0)
        samples = Samples(
            shape=(1,),
            points=np.arange(n_messages)[:, None],
            reconstructions=np.zeros((1, 1)),
            symbol=message,
            message=message,
            shown=np.zeros(n, dtype=np.int64),
            n_messages=np.unique(message).size,
            n_sent=np.unique(message).size,
            weights=np.ones(n),
            dither=np.zeros(n, dtype=np.int64),
            n_stated=n,
            kept=np.arange(n),
        )
        report = _Report(samples, None, None, [], rng, 100)
        value = samples.entropy_of(message)
        line = report._entropy("messages", value, message)
        corrected, lower, upper = report._corrected(value)
        assert line.lower <= value <= line.upper
        assert lower <= corrected <= upper
        misses += [not line.lower <= mean <= line.upper, not lower <= entropy(p) <= upper]
    assert (misses <= 12).all()


@given(codecs())
def test_every_interval_holds_its_number(codec):
    x, x_hat, stated = codec
    found = rdc.audit(x, x_hat, **stated | {"n_bootstrap": 20}, time_limit=1)
    for line in found.lines:
        assert not line.lower > line.value + 1e-12
        assert not line.upper < line.value - 1e-12
        if line.is_information and line.name in ("messages", "information sent", "information decoded"):
            assert not line.upper > math.log(len(set(stated["messages"]))) + 1e-12


@given(codecs(), st.integers(1, 3))
def test_messages_of_any_shape(codec, dim):
    x, x_hat, stated = codec
    rng = np.random.default_rng(3)
    latents = rng.integers(0, 9, size=(5, dim, 2, 2))
    latents[:, 0, 0, 0] = np.arange(5)  # so that no two are the same
    shaped = latents[np.array(stated.pop("messages"))]
    plain = rdc.audit(x, x_hat, shaped[:, 0, 0, 0], **stated, time_limit=1)
    for messages in (shaped, shaped.tolist(), list(shaped), shaped.reshape(len(x), -1)):
        found = rdc.audit(x, x_hat, messages, **stated, time_limit=1)
        assert [line.value for line in found.lines[:4]] == [line.value for line in plain.lines[:4]]


@given(st.integers(9, 30), st.integers(2, 6))
def test_sources_of_few_symbols_may_be_sent_without_loss(n_points, times):
    """A codec that tells all symbols has as many messages as there are symbols, each of them seen often."""
    x = np.repeat(np.arange(float(n_points)), times)
    found = rdc.audit(x, x, n_bootstrap=0)
    assert found["least rate"].value == pytest.approx(math.log(n_points), abs=1e-4)
    with pytest.raises(rdc.InvalidInput, match=f"{n_points} samples were sent as {n_points} different"):
        rdc.audit(x[::times], x[::times])


def values_of(found, but=("messages, population",)):
    return [line.value for line in found.lines if line.name not in but and not line.name.startswith("sliced")]


@given(codecs(), st.integers(0, 2**32 - 1))
def test_weights_are_repetitions(codec, seed):
    """Whole weights, in any unit, are samples that came so often; weights of zero are samples that did not come."""
    x, x_hat, stated = codec
    times = np.random.default_rng(seed).integers(0, 4, size=len(x))
    times[:3] = 1
    rows = np.repeat(np.arange(len(x)), times)
    repeated = stated | {"messages": np.array(stated["messages"])[rows]}
    if "labels" in stated:
        repeated["labels"] = np.array(stated["labels"])[rows]
        if set(repeated["labels"]) != set(stated["labels"]):
            return
    if "lengths" in stated:
        lengths = np.random.default_rng(seed).uniform(2, 3, size=len(x))
        stated["lengths"], repeated["lengths"] = lengths, lengths[rows]
    one = rdc.audit(x, x_hat, **stated | {"weights": times * 0.3}, time_limit=1)
    other = rdc.audit(x[rows], x_hat[rows], **repeated, time_limit=1)
    exact = [line.name for line in one.lines if line.kind == "exact for the sample"]
    assert [one[name].value for name in exact] == pytest.approx([other[name].value for name in exact], abs=1e-9)
    for line in one.lines:
        if line.kind == "certified":
            assert line.lower <= other[line.name].upper + 1e-9
            assert line.upper >= other[line.name].lower - 1e-9


@given(codecs(), st.integers(0, 2**32 - 1))
def test_rows_of_probabilities_are_labels(codec, seed):
    """A row of zeros and a one is a label; a row of halves is half a sample of each of two classes."""
    x, x_hat, stated = codec
    if "labels" not in stated:
        return
    rows = np.eye(max(stated["labels"]) + 1)[stated["labels"]]
    plain = rdc.audit(x, x_hat, **stated, time_limit=1)
    for same in (rows, list(map(tuple, rows.tolist()))):
        assert values_of(rdc.audit(x, x_hat, **stated | {"labels": same}, time_limit=1)) == values_of(plain)
    other = np.random.default_rng(seed).permutation(stated["labels"])
    mixed = 0.5 * rows + 0.5 * np.eye(rows.shape[1])[other]
    found = rdc.audit(x, x_hat, **stated | {"labels": mixed}, time_limit=1)
    twice = stated | {"labels": [*stated["labels"], *other], "messages": stated["messages"] * 2}
    both = rdc.audit(np.concatenate([x, x]), np.concatenate([x_hat, x_hat]), **twice, time_limit=1)
    for name in ("classifier_loss", "label given message", "label given x_hat"):
        assert found[name].value == pytest.approx(both[name].value, abs=1e-12)


@given(codecs(), st.integers(2, 3), st.integers(0, 2**32 - 1))
def test_dither_that_both_ends_know(codec, n_dithers, seed):
    """A code for each value of the dither: parts are not negative, and the rate is the mean of those of the codes."""
    x, x_hat, stated = codec
    rng = np.random.default_rng(seed)
    words = np.unique(x_hat, axis=0)
    sent, shown = [], []
    for _ in range(n_dithers):
        order = rng.permutation(5)
        sent.append(order[np.array(stated["messages"])] // rng.integers(1, 3))
        shown.append(words[rng.integers(len(words), size=5)][sent[-1]])
    crossed = {key: stated[key] for key in ("letters", "n_bootstrap", "classifier", "classifier_loss") if key in stated}
    if "labels" in stated:
        crossed["labels"] = stated["labels"] * n_dithers
    messages, dither = np.concatenate(sent), np.repeat([f"seed {k}" for k in range(n_dithers)], len(x))
    tiled, decoded = np.tile(x, (n_dithers, 1)), np.concatenate(shown)
    found = rdc.audit(tiled, decoded, messages, dither=dither, **crossed | {"n_bootstrap": 8}, time_limit=1)
    assert all(0 <= part.lower <= part.value <= part.upper + 1e-15 for part in found.rate_parts + found.loss_parts)
    rates = [found[name].value for name in NAMES]
    assert all(one >= another - 1e-12 for one, another in zip(rates, rates[1:], strict=False))
    codes = [read_samples(x, b, a) for a, b in zip(sent, shown, strict=True)]
    assert found["messages"].value == pytest.approx(np.mean([code.entropy_sent for code in codes]), abs=1e-12)
    assert found["information sent"].value == pytest.approx(
        np.mean([code.information_sent for code in codes]), abs=1e-12
    )
    assert found["distortion"].value == pytest.approx(((decoded - tiled) ** 2).mean(), abs=1e-12)
    for line in found.lines:
        assert not line.lower > line.value + 1e-12
        assert not line.upper < line.value - 1e-12


def test_two_resamples_have_intervals_that_hold_the_mean():
    """Both may be on one side of it, as they are here for some generators."""
    for seed in range(8):
        line = rdc.audit(GRID, SHOWN, SENT, n_bootstrap=2, rng=seed)["distortion"]
        assert line.lower <= line.value <= line.upper


def test_resamples_take_what_was_one_before_dither_together():
    """Intervals are as wide as without dither, if every value of it makes the same code."""
    rng = np.random.default_rng(3)
    x = rng.choice([0.0, 1.0, 2.0], size=400, p=[0.5, 0.3, 0.2])
    alone = rdc.audit(x, np.minimum(x, 1.0), x, n_bootstrap=400)
    four = [np.tile(part, 4) for part in (x, np.minimum(x, 1.0), x)]
    crossed = rdc.audit(*four, dither=np.repeat(range(4), 400), n_bootstrap=400)
    for name in ("distortion", "messages"):
        widths = [found[name].upper - found[name].lower for found in (alone, crossed)]
        assert widths[1] == pytest.approx(widths[0], rel=0.25)
    assert crossed["messages"].value == pytest.approx(alone["messages"].value, abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6))
def test_distances_on_the_line_are_those_of_repeated_points(seed, n, m):
    """Whole weights are repetitions, and equally many points go over in their order."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 2)), rng.normal(size=(m, 2))
    times = rng.integers(1, 4, size=n), rng.integers(1, 4, size=m)
    found = squared_distances(x, y, *times, np.eye(2))
    first, second = np.repeat(x, times[0] * times[1].sum(), axis=0), np.repeat(y, times[1] * times[0].sum(), axis=0)
    assert found == pytest.approx(((np.sort(first, axis=0) - np.sort(second, axis=0)) ** 2).mean(axis=0))


def test_images_and_tables_of_decisions():
    rng = np.random.default_rng(2)
    images = rng.random((80, 4, 4))
    messages = (images.mean(axis=(1, 2)) > 0.5).astype(int)
    words = np.stack([images[messages == z].mean(axis=0) for z in (0, 1)])
    labels = np.where(rng.random(80) < 0.2, 1 - messages, messages)

    def classifier(batch):
        assert batch.shape[1:] == (4, 4)
        bright = 1 / (1 + np.exp(-20 * (batch.mean(axis=(1, 2)) - 0.5)))
        return np.stack([1 - bright, bright], axis=1)

    found = rdc.audit(images, words[messages], messages, labels=labels, classifier=classifier)
    table = rdc.audit(images, words[messages], messages, labels=labels, classifier=classifier(words[messages]))
    assert found["classifier_loss"].value == pytest.approx(table["classifier_loss"].value)
    assert found.problem.n_letters == 4
    assert table.problem.n_letters == 2


def test_the_curve_is_that_of_problems_solved_apart():
    labels = (GRID[:, 0] > 0.4).astype(int)
    found = rdc.audit(
        GRID, SHOWN, SENT, labels=labels, classifier=lambda x: np.hstack([0.9 - 0.8 * x, 0.1 + 0.8 * x]), unit="bit"
    )
    curve = found.curve(4)
    assert [point.rate for point in curve] == pytest.approx(np.linspace(0, 2.1, 4), abs=1e-6)
    assert math.isnan(curve[0].upper)  # no letter alone has the classifier's loss of the codec
    limited = found.problem.with_limits(classifier_loss=found["classifier_loss"].value * math.log(2))
    for point in curve[1:]:
        alone = rdc.solve(limited.minimising("distortion", point.rate * math.log(2)), tolerance=1e-6)
        assert point.lower <= alone.objective_upper + 1e-12
        assert point.upper >= alone.objective_lower - 1e-12
        assert point.upper - point.lower < 1e-4
    axis = found.plot_curve(curve)
    assert axis.lines[0].get_xdata().size == 3
    with pytest.raises(rdc.InvalidInput, match="n_points is 1"):
        found.curve(1)


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 2), st.booleans(), st.booleans())
def test_tables_hold_what_archives_hold(tmp_path_factory, seed, dim, width, is_soft, has_weights):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 20))
    arrays = {
        "x": rng.normal(size=(n, dim)),
        "x_hat": rng.normal(size=(n, dim)),
        "messages": rng.integers(9, size=(n, width)),
    }
    names = [f"{kind}_{k}" for kind in ("x", "x_hat") for k in range(dim)] + [f"message[{k}]" for k in range(width)]
    arrays["labels"] = rng.dirichlet(np.ones(3), size=n) if is_soft else rng.integers(3, size=(n, 1))
    names += [f"label.{k}" for k in range(arrays["labels"].shape[1])]
    if has_weights:
        arrays["weights"], names = rng.random((n, 1)), [*names, "weights"]
    columns = [column for array in arrays.values() for column in array.T.tolist()]
    order = rng.permutation(len(names))
    path = tmp_path_factory.mktemp("codec") / "codec.csv"
    rows = [",".join(names[k] for k in order), *(",".join(repr(columns[k][i]) for k in order) for i in range(n))]
    path.write_text("\n".join(rows))
    found = read_codec(path)
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert np.array_equal(np.array(found[name]).reshape(array.shape), array)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x,x_hat\n1,a", "column 'x_hat' is 'a'"),
        ("x,message\n1,2", "lacks x_hat; name columns"),
        ("x,x_hat,x_0\n1,2,3", "two columns 'x_0'"),
        (",x,x_hat\n0,1,2", "without an index"),
        ("x,x_hat\n1", "1 cells for 2 columns"),
    ],
)
def test_bad_tables(tmp_path, text, fault):
    (tmp_path / "codec.csv").write_text(text)
    with pytest.raises(rdc.RdcError, match=fault):
        read_codec(tmp_path / "codec.csv")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"x_hat": SHOWN[:-1]}, "one reconstruction per sample"),
        ({"messages": SENT[:-1]}, "239 entries but x has 240"),
        ({"messages": np.zeros(240, int)}, "message 0 is decoded in two ways"),
        ({"lengths": 1.0}, "mean length is 1 nat"),
        ({"lengths": [1.0, 2.0]}, "lengths has shape"),
        ({"lengths": -1.0}, "lengths is -1; lengths of messages are finite"),
        ({"lengths": [2.0] * 239 + [np.nan]}, r"lengths\[239\] is nan"),
        ({"lengths": True}, "lengths holds booleans"),
        ({"letters": [0.0, np.nan]}, r"letters\[1, 0\] is nan"),
        ({"labels": [0, 1]}, "labels has 2 entries"),
        ({"classifier": np.zeros((240, 2))}, "give labels="),
        ({"letters": np.zeros((3, 2))}, "letters has shape"),
        ({"x": np.where(GRID == 0, np.nan, GRID)}, "is nan"),
        ({"unit": "byte"}, "byte"),
        ({"labels": SENT % 2, "classifier": np.eye(2)[SENT % 2][:5]}, "classifier has shape"),
        ({"labels": SENT % 2, "classifier": np.eye(2)[1 - SENT % 2]}, "cross-entropy is infinite"),
        ({"targets": [{"E": 1.0}]}, "unknown loss 'E'"),
        ({"targets": {"D": 1.0}}, "give a list of limits by name"),
        ({"targets": [{"D": "1"}]}, "the target for D is '1'"),
        ({"targets": [{}]}, "a target is {}"),
        ({"targets": [{"D": 1.0, "rate": 0.1}]}, "it limits the rate, which is minimised; name losses only"),
        ({"targets": 1.0}, "targets is 1.0"),
        ({"weights": np.ones(3)}, "weights has 3 entries but x has 240"),
        ({"weights": -np.ones(240)}, "weights"),
        ({"weights": np.zeros(240)}, "weights"),
        ({"dither": np.zeros(3)}, "dither has 3 entries but x has 240"),
        ({"dither": np.arange(240) % 7}, "does not come with dither"),
        ({"dither": np.zeros(240), "messages": None}, "dither= needs messages="),
        ({"labels": np.full((240, 2), 0.6)}, "row 0 is no distribution"),
        ({"labels": np.full((24, 2), 0.5)}, "labels has 24 rows but x has 240"),
        ({"labels": [[0.5, 0.5], [1.0]] * 120}, "labels"),
        ({"labels": np.arange(240) / 239}, "labels has 240 different values among 240 samples, fractions such as"),
        ({"labels": [(0.6, 0.6)] * 240}, "row 0 is no distribution"),
        ({"letters": np.zeros((0, 1))}, "leave letters out"),
    ],
)
def test_bad_inputs(change, fault):
    stated = {"x": GRID, "x_hat": SHOWN, "messages": SENT} | change
    with pytest.raises(rdc.InvalidInput, match=fault):
        rdc.audit(stated.pop("x"), stated.pop("x_hat"), stated.pop("messages"), **stated)


def test_notes_name_what_numbers_do_not():
    """Scales that differ, reconstructions outside the letters, rare messages; tuples of classes are classes."""
    found = rdc.audit(GRID, 255 * SHOWN, SENT, letters=[[0.0], [85.0], [7.0]], n_bootstrap=0)
    assert any("x_hat is further from x" in note for note in found.notes)
    assert any("2 of the codec's 4 reconstructions are outside the 3 letters given" in note for note in found.notes)
    found = rdc.audit(GRID, SHOWN, SENT, labels=list(zip(SENT % 2, SENT, strict=True)), n_bootstrap=0)
    assert not any("further from x" in note for note in found.notes)
    assert found["label given message"].value == pytest.approx(0, abs=1e-12)
    twos = np.repeat(np.arange(100.0), 2)
    found = rdc.audit(twos, twos, twos, labels=np.arange(200) % 2, n_bootstrap=0)
    assert any("seen fewer than 10 times: for the population H(S|Z)" in note for note in found.notes)


def test_every_sample_a_message_of_its_own_is_refused():
    x = np.random.default_rng(0).normal(size=(50, 3))
    with pytest.raises(rdc.InvalidInput, match="50 different messages"):
        rdc.audit(x, x + 0.1)
    with pytest.raises(rdc.InvalidInput, match="no line is called 'rate'"):
        rdc.audit(GRID, SHOWN, n_bootstrap=0)["rate"]


def test_letters_of_another_shape_are_not_taken_for_samples():
    x = np.random.default_rng(0).integers(0, 2, (60, 2, 3)).astype(float)
    for shape in ((4, 2, 3), (4, 6)):
        rdc.audit(x, np.zeros_like(x), letters=np.ones(shape), n_bootstrap=0)
    with pytest.raises(rdc.InvalidInput, match=r"letters has shape \(4, 3, 2\)"):
        rdc.audit(x, np.zeros_like(x), letters=np.ones((4, 3, 2)), n_bootstrap=0)
