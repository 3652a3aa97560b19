"""One encoder with several decoders: what the design promises, streams, files, measures beside the certified limit."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

import rdcsolve as rdc
from rdcsolve.codes import fit_quantiser, fit_universal_quantiser, load_universal_code
from rdcsolve.information import entropy

MULTIPLIERS = st.lists(st.sampled_from([0.0, 0.02, 0.2, 1.0, 5.0]), min_size=1, max_size=3)


def blobs(seed, n=80, shape=(2,), names=("b", "a", "c")):
    """Return samples around five centres, of three classes, and a classifier of them."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(5, *shape)) * 2
    kind = np.append(np.arange(5), rng.integers(5, size=n - 5))
    x = centres[kind] + 0.7 * rng.normal(size=(n, *shape))
    labels = np.array(names)[kind % 3]
    return x, labels, LogisticRegression(max_iter=300).fit(x.reshape(n, -1), labels)


def by_name(multipliers):
    return {f"target {j}": multiplier for j, multiplier in enumerate(multipliers)}


def cross_entropies(classifier, x, shown):
    said, of = (classifier.predict_proba(one.reshape(len(x), -1)) for one in (x, shown))
    return -(said * np.log(of)).sum(axis=1)


def cost(classifier, multiplier, x, shown):
    squares = ((x - shown) ** 2).reshape(len(x), -1).mean(axis=1)
    return squares.mean() + multiplier * cross_entropies(classifier, x, shown).mean()


@given(st.integers(0, 1000), st.integers(1, 6), MULTIPLIERS, st.data())
def test_reuse_is_never_better_than_the_common_design_and_never_free(seed, n_words, multipliers, data):
    """On the samples of the design: no target's own encoder serves all better, no common one serves a target better."""
    x, _, classifier = blobs(seed)
    shares = np.array([data.draw(st.sampled_from([1.0, 3.0])) for _ in multipliers])
    targets = by_name(multipliers)
    values = {}
    code = fit_universal_quantiser(
        x,
        n_words,
        targets=targets,
        weights=dict(zip(targets, shares.tolist(), strict=True)),
        classifier=classifier,
        rng=np.random.default_rng(seed),
        callback=lambda start, step, value: values.setdefault(start, []).append(value),
    )
    assert all((np.diff(one) <= 1e-12).all() for one in values.values())
    shares /= shares.sum()
    messages = code.messages(x)

    def common(partition, shown=None):
        means = np.stack([x[partition == k].mean(axis=0) for k in range(partition.max() + 1)])
        said = [means[partition]] * len(multipliers) if shown is None else shown
        costs = [cost(classifier, m, x, one) for m, one in zip(multipliers, said, strict=True)]
        return float(shares @ costs)

    ours = [one.reconstruct(messages) for one in code.decoders.values()]
    generator = np.random.default_rng(seed)
    for multiplier in multipliers:
        own = fit_quantiser(x, n_words, classifier=classifier, classifier_multiplier=multiplier, rng=generator)
        assert common(messages, ours) <= common(own.messages(x)) + 1e-9
    for (name, multiplier), shown in zip(targets.items(), ours, strict=True):
        alone = code.alone[name].reconstruct(code.alone[name].messages(x))
        assert cost(classifier, multiplier, x, alone) <= cost(classifier, multiplier, x, shown) + 1e-9


@given(st.integers(0, 1000), MULTIPLIERS, st.sampled_from([0.0, 0.1]))
def test_messages_cost_the_decoders_least_together(seed, multipliers, length_multiplier):
    x, _, classifier = blobs(seed, 40)
    targets = by_name(multipliers)
    code = fit_universal_quantiser(
        x, 4, targets=targets, classifier=classifier, length_multiplier=length_multiplier, max_steps=4
    )
    costs = np.zeros((len(x), code.n_words))
    for k in range(code.n_words):
        for one in code.decoders.values():
            shown = np.broadcast_to(one.words[k], x.shape)
            costs[:, k] += ((x - shown) ** 2).mean(axis=1) / len(multipliers)
            said = one.classifier_multiplier * cross_entropies(classifier, x, shown)
            costs[:, k] += said / len(multipliers)
        costs[:, k] -= length_multiplier * math.log(code.frequencies[k])
    sent = code.messages(x)
    assert costs[np.arange(len(x)), sent] == pytest.approx(costs.min(axis=1), abs=1e-12)


@given(st.integers(0, 1000), st.integers(2, 4), st.sampled_from([(0.0, 1.0), (0.3,), (0.0, 0.1, 5.0)]), st.booleans())
def test_measures_are_those_of_the_sample_and_above_the_limit(seed, n_words, multipliers, is_true):
    x, labels, classifier = blobs(seed, 40)
    code = fit_universal_quantiser(x, n_words, targets=by_name(multipliers), classifier=classifier)
    other = x + 0.1 * np.random.default_rng(seed).normal(size=x.shape)
    found = code.measure(other, labels=labels if is_true else None, letters=x[:2], n_bootstrap=20)
    sent = code.messages(other)
    assert found.rate == pytest.approx(entropy(np.bincount(sent) / sent.size), abs=1e-12)
    assert found.length.value >= found.rate - 1e-12
    assert found.limit.rate_lower <= found.rate + 1e-9
    assert found.limit.proof is rdc.Proof.CERTIFIED
    truth = classifier.predict_proba(other)
    if is_true:
        truth = np.eye(3)[np.searchsorted(classifier.classes_, labels)]
    for target, one in zip(found.targets, code.decoders.values(), strict=True):
        shown = one.reconstruct(sent)
        losses = -(truth * np.log(classifier.predict_proba(shown))).sum(axis=1)
        assert target.distortion.value == pytest.approx(((other - shown) ** 2).mean())
        assert target.classifier_loss.value == pytest.approx(losses.mean())
        assert target.limit[0] <= found.limit.rate_upper + 1e-9
        alone = target.alone_distortion.value + target.classifier_multiplier * target.alone_classifier_loss.value
        both = target.distortion.value + target.classifier_multiplier * target.classifier_loss.value
        assert target.penalty.value == pytest.approx(both - alone, abs=1e-12)
        for number in (target.distortion, target.alone_classifier_loss, target.penalty):
            assert number.lower <= number.value <= number.upper
    dearest = max(target.limit[1] for target in found.targets)
    parts = found.rate_parts
    assert all(0 <= part.lower <= part.upper for part in parts)
    assert parts[0].value >= -1e-12
    assert sum(part.value for part in parts) == pytest.approx(max(found.rate, dearest) - dearest, abs=2e-4)


def test_measures_are_beside_the_universal_rate_of_a_problem_stated_by_hand():
    x, labels, classifier = blobs(7, 30)
    code = fit_universal_quantiser(x, 3, targets={"one": 0.0, "other": 2.0}, classifier=classifier)
    found = code.measure(x, labels=labels, n_bootstrap=0, tolerance=1e-6)
    sent = code.messages(x)
    means = [x[sent == k].mean(axis=0) for k in range(code.n_words)]
    letters = np.concatenate([*(one.words for one in code.decoders.values()), means])
    truth = np.eye(3)[np.searchsorted(classifier.classes_, labels)]
    squares = ((x[:, None] - letters) ** 2).mean(axis=2)
    losses = -truth @ np.log(classifier.predict_proba(letters)).T
    problem = rdc.Problem.from_arrays(np.full(30, 1 / 30), squares, losses={"L": losses}, D=math.inf)
    rows = np.arange(30)
    bounds = [
        {"D": squares[rows, place + sent].mean(), "L": losses[rows, place + sent].mean()} for place in (0, code.n_words)
    ]
    universal = rdc.universal_rate(problem, bounds, tolerance=1e-6)
    assert found.limit.rate_lower <= universal.rate_upper + 1e-9
    assert found.limit.rate_upper >= universal.rate_lower - 1e-9
    in_bits = code.measure(x, labels=labels, n_bootstrap=0, tolerance=1e-6, unit="bit")
    assert in_bits.rate == pytest.approx(found.rate / math.log(2))
    assert in_bits.limit.rate_lower == pytest.approx(found.limit.rate_lower / math.log(2))
    assert in_bits.targets[1].classifier_loss.value == pytest.approx(
        found.targets[1].classifier_loss.value / math.log(2)
    )
    assert in_bits.targets[1].penalty.value == pytest.approx(found.targets[1].penalty.value)


@pytest.mark.parametrize("is_named", [True, False])
def test_samples_may_lack_classes_that_the_classifier_has(is_named):
    names = ("b", "a", "c") if is_named else (1, 0, 2)
    x, labels, fitted = blobs(11, names=names)
    classifier = fitted if is_named else fitted.predict_proba
    code = fit_universal_quantiser(x, 3, targets={"one": 1.0}, classifier=classifier)
    for lacks in (names[:1], names[1:]):
        kept = ~np.isin(labels, lacks)
        shown = code.decoders["one"].reconstruct(code.messages(x[kept]))
        places = np.searchsorted(fitted.classes_, labels[kept])
        expected = -np.log(fitted.predict_proba(shown)[np.arange(len(places)), places]).mean()
        found = code.measure(x[kept], labels=labels[kept], n_bootstrap=0)
        assert found.targets[0].classifier_loss.value == pytest.approx(expected)
        audited = rdc.audit(x[kept], shown, labels=labels[kept], classifier=classifier, n_bootstrap=0)
        assert audited["classifier_loss"].value == pytest.approx(expected)


def test_tables_and_pictures():
    x, labels, classifier = blobs(3)
    code = fit_universal_quantiser(x, 4, targets={"one": 0.0, "other": 2.0}, classifier=classifier)
    found = code.measure(x, labels=labels)
    frame = found.to_frame()
    assert list(frame.index) == ["one", "other"]
    assert frame.loc["other", "penalty"] == found.targets[1].penalty.value
    assert frame.loc["one", "limit_lower"] == found.targets[0].limit[0]
    for told in (str(found), found._repr_html_()):
        assert "one encoder of 4 messages for 2 targets" in told
        assert "least rate of one encoder for all targets" in told
        assert "made for it alone" in told
    axes = found.plot()
    assert len(axes[0].lines) == 6
    assert len(axes[1].patches) == 4
    plain = fit_universal_quantiser(x, 3, targets={"one": 0.0, "other": 0.0}).measure(x, n_bootstrap=0)
    assert "classifier_loss" not in str(plain)
    assert math.isnan(plain.targets[0].classifier_loss.value)
    assert plain.targets[0].penalty.value == pytest.approx(0, abs=1e-12)
    plain.plot()


def test_one_stream_is_read_by_every_decoder_in_another_process(tmp_path):
    pytest.importorskip("constriction")
    x, _, classifier = blobs(3, 600, (2, 3))
    targets = {"restore": 0.0, "recognise": 1.0}
    code = fit_universal_quantiser(x, 12, targets=targets, classifier=classifier, length_multiplier=0.05)
    stream = code.encode(x)
    counts = np.bincount(code.messages(x), minlength=code.n_words)
    assert 8 * len(stream) <= 1.01 * 600 * entropy(counts / 600, base=2) + 80 + 64
    code.save(tmp_path / "code.npz")
    (tmp_path / "stream").write_bytes(stream)
    script = (
        "import numpy as np; from rdcsolve.codes import load_universal_code; code = load_universal_code('code.npz'); "
        "stream = open('stream', 'rb').read(); np.savez('shown.npz', **{n: code.decode(stream, n) for n in code.names})"
    )
    root = str(__import__("pathlib").Path(rdc.__file__).parents[1])
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env={"PYTHONPATH": root}, check=True, timeout=60)
    with np.load(tmp_path / "shown.npz") as shown:
        assert set(shown) == set(targets)
        for name in targets:
            assert np.array_equal(shown[name], code.decoders[name].reconstruct(code.messages(x)))
    loaded = load_universal_code(tmp_path / "code.npz", classifier)
    assert loaded.encode(x) == stream
    assert math.isnan(loaded.measure(x[:50], n_bootstrap=0).targets[0].penalty.value)
    with pytest.raises(rdc.InvalidInput, match="load the code with classifier="):
        load_universal_code(tmp_path / "code.npz").encode(x)
    for wrong in (stream[:-1], stream + b"\0", stream[:20], bytes([*stream[:-1], stream[-1] ^ 1])):
        with pytest.raises(rdc.InvalidInput, match="damaged|no stream"):
            code.decode(wrong, "restore")
    with pytest.raises(rdc.InvalidInput, match="another code"):
        code.decode(code.alone["restore"].encode(x), "restore")


@pytest.mark.parametrize(
    ("stated", "fault"),
    [
        ({"targets": {}}, "targets is {}; give the classifier's multiplier of every decoder by name"),
        ({"targets": [0.0, 0.1]}, "give the classifier's multiplier of every decoder by name"),
        ({"targets": {"one": -1.0}}, "the target 'one' is -1.0; it must be finite and >= 0"),
        ({"targets": {"one": math.inf}}, "the target 'one' is inf"),
        ({"targets": {"one": "much"}}, "the target 'one' is 'much'"),
        ({"targets": {"one": 0.1}}, "give classifier="),
        ({"weights": {"one": 1.0}}, "give one positive number for each of the targets 'one', 'other'"),
        ({"weights": {"one": 1.0, "other": 0.0}}, "the weight of 'other' is 0.0"),
        ({"n_words": 400}, "fewer than n_words=400"),
        ({"length_multiplier": -1.0}, "length_multiplier is -1.0"),
    ],
)
def test_bad_inputs(stated, fault):
    given_ = {"n_words": 2, "targets": {"one": 0.0, "other": 0.0}} | stated
    with pytest.raises(rdc.InvalidInput, match=fault):
        fit_universal_quantiser(np.linspace(0, 1, 300), given_.pop("n_words"), **given_)


def test_bad_samples_decoders_and_files(tmp_path):
    code = fit_universal_quantiser(np.linspace(0, 1, 30), 3, targets={"one": 0.0})
    with pytest.raises(rdc.InvalidInput, match="no decoder is called 'two'; there are 'one'"):
        code.decode(code.encode([0.5]), "two")
    with pytest.raises(rdc.InvalidInput, match="samples of shape"):
        code.messages(np.zeros((3, 2)))
    with pytest.raises(rdc.InvalidInput, match="x holds no samples"):
        code.measure(np.zeros(0))
    with pytest.raises(rdc.InvalidInput, match="letters has shape"):
        code.measure([0.1, 0.2], letters=np.zeros((3, 4)))
    with pytest.raises(rdc.InvalidInput, match="labels are for the classifier's loss"):
        code.measure([0.1, 0.2], labels=[0, 1])
    with pytest.raises(rdc.InvalidInput, match="unit"):
        code.measure([0.1, 0.2], unit="byte")
    code.decoders["one"].save(tmp_path / "code.npz")
    with pytest.raises(rdc.UnreadableFile, match="not a saved universal code"):
        load_universal_code(tmp_path / "code.npz")
