"""Quantisers that run: descent, streams, files, and bad input."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

import rdcsolve as rdc
from rdcsolve.codes import Code, fit_quantiser, load_code
from rdcsolve.codes.streams import pack, unpack
from rdcsolve.information import entropy


def blobs(seed, n=300, shape=(2,)):
    """Return samples around six centres, of three classes, and a classifier of them."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(6, *shape)) * 2
    kind = rng.integers(6, size=n)
    x = centres[kind] + 0.5 * rng.normal(size=(n, *shape))
    return x, kind % 3, LogisticRegression(max_iter=300).fit(x.reshape(n, -1), kind % 3)


MULTIPLIERS = st.sampled_from([0.0, 0.01, 0.1, 1.0])


@given(st.integers(0, 1000), st.integers(1, 12), MULTIPLIERS, MULTIPLIERS)
def test_every_round_lowers_the_lagrangian(seed, n_words, classifier_multiplier, length_multiplier):
    x, _, classifier = blobs(seed, 120)
    values = []
    code = fit_quantiser(
        x,
        n_words,
        classifier=classifier,
        classifier_multiplier=classifier_multiplier,
        length_multiplier=length_multiplier,
        rng=seed,
        callback=lambda start, step, value: values.append(value),
    )
    assert (np.diff(values) <= 1e-12).all()
    assert code.n_words <= n_words
    # the last value, from its definition, at the frequencies of the design
    messages = np.argmin(code.costs(x, classifier.predict_proba(x)), axis=1)
    shown = code.reconstruct(messages)
    cross = -(classifier.predict_proba(x) * np.log(classifier.predict_proba(shown))).sum(axis=1)
    lengths = code.lengths[messages]
    now = ((x - shown) ** 2).mean() + classifier_multiplier * cross.mean() + length_multiplier * lengths.mean()
    assert now <= values[-1] + 1e-3 * length_multiplier * len(code.lengths) + 1e-9


@given(st.integers(0, 1000), MULTIPLIERS, MULTIPLIERS)
def test_messages_are_the_cheapest_words(seed, classifier_multiplier, length_multiplier):
    x, _, classifier = blobs(seed, 60)
    code = fit_quantiser(
        x, 5, classifier=classifier, classifier_multiplier=classifier_multiplier, length_multiplier=length_multiplier
    )
    for sample, message in zip(x[:20], code.messages(x[:20]), strict=True):
        costs = [
            ((sample - word) ** 2).mean()
            - classifier_multiplier
            * (classifier.predict_proba([sample])[0] @ np.log(classifier.predict_proba([word])[0]))
            - length_multiplier * np.log(frequency)
            for word, frequency in zip(code.words, code.frequencies, strict=True)
        ]
        assert costs[message] == pytest.approx(min(costs), abs=1e-12)


@given(st.integers(0, 1000), st.sampled_from([0.0, -1e6, 1e8, 1.7e9]), st.sampled_from([1e-100, 1.0, 1e100]))
def test_samples_far_from_zero_on_any_scale(seed, offset, scale):
    """As times of a clock are: squares of what all samples have in common hide nothing."""
    x = (blobs(seed, 80)[0] + offset) * scale
    values = []
    code = fit_quantiser(x, 5, callback=lambda start, step, value: values.append(value / scale**2))
    costs = (((x[:, None] - code.words) / scale) ** 2).mean(axis=2)
    chosen = costs[np.arange(80), code.messages(x)]
    assert (chosen <= costs.min(axis=1) + 1e-9).all()
    assert (np.diff(values) <= 1e-14 * abs(offset) + 1e-12).all()
    assert chosen.mean() <= values[-1] + 1e-14 * abs(offset) + 1e-12
    assert code.n_words == 5


@pytest.mark.parametrize("scale", [1e-170, 1e160])
def test_samples_whose_squares_are_no_numbers_are_refused(scale):
    with pytest.raises(rdc.InvalidInput, match="divide x by its scale"):
        fit_quantiser(blobs(0, 20)[0] * scale, 2)
    assert fit_quantiser(np.zeros((5, 2)), 2).n_words == 1


def test_minding_the_classifier_helps_it():
    x, y, classifier = blobs(1, 400)

    def cross_entropy(code):
        shown = classifier.predict_proba(code.reconstruct(code.messages(x)))
        return -np.log(shown[np.arange(y.size), y]).mean()

    plain = fit_quantiser(x, 4, n_starts=3)
    aware = fit_quantiser(x, 4, classifier=classifier, classifier_multiplier=2.0, n_starts=3)
    assert cross_entropy(aware) < cross_entropy(plain) - 0.01


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 8), st.integers(8, 90), MULTIPLIERS)
def test_samples_of_few_values_are_sent_as_they_are(seed, n_values, n_words, n, multiplier):
    """Constant samples too, and values that differ in the last digit; no warning comes out of k-means."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n_values, 2)) * 10.0 ** rng.integers(-12, 12)
    x = values[rng.integers(n_values, size=n)]
    near = np.where(rng.random(x.shape) < 0.5, x, np.nextafter(x, np.inf))

    def classifier(batch):
        first = 1 / (1 + np.exp(-batch[:, 0] / np.abs(values).max()))
        return np.stack([first, 1 - first], axis=1)

    for samples in (x, near):
        code = fit_quantiser(samples, n_words, classifier=classifier, classifier_multiplier=multiplier, rng=seed)
        assert code.n_words <= min(n_words, np.unique(samples, axis=0).shape[0])
        if np.unique(x, axis=0).shape[0] == 1:
            assert code.words == pytest.approx(np.tile(x[0], (code.n_words, 1)), rel=1e-14)


@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(0, 2000))
def test_streams_come_back(seed, k, n):
    rng = np.random.default_rng(seed)
    frequencies = rng.dirichlet(np.full(k, 0.2)) * (1 - 1e-6) + 1e-6 / k
    messages = rng.choice(k, size=n, p=frequencies / frequencies.sum())
    stream = pack(messages, frequencies, b"code")
    assert np.array_equal(unpack(stream, frequencies, b"code"), messages)
    ideal = -np.log2(frequencies[messages]).sum()
    assert 8 * len(stream) <= 1.01 * ideal + 80 + 64


@given(st.integers(0, 2**32 - 1), st.data())
def test_damaged_streams_are_told(seed, data):
    rng = np.random.default_rng(seed)
    frequencies = rng.dirichlet(np.ones(9))
    stream = pack(rng.choice(9, size=200, p=frequencies), frequencies, b"code")
    place = data.draw(st.integers(0, len(stream) - 1))
    damaged = bytearray(stream)
    damaged[place] ^= data.draw(st.integers(1, 255))
    for wrong in (bytes(damaged), stream[:place], stream + b"\0"):
        with pytest.raises(rdc.InvalidInput, match="damaged|no stream"):
            unpack(wrong, frequencies, b"code")
    with pytest.raises(rdc.InvalidInput, match="another code"):
        unpack(stream, frequencies, b"other")


def test_a_stream_is_read_in_another_process(tmp_path):
    x, _, classifier = blobs(3, 2000, (2, 3))
    code = fit_quantiser(x, 20, classifier=classifier, classifier_multiplier=0.1, length_multiplier=0.05)
    stream = code.encode(x)
    counts = np.bincount(code.messages(x), minlength=code.n_words)
    assert 8 * len(stream) <= 1.01 * 2000 * entropy(counts / 2000, base=2) + 80 + 64
    code.save(tmp_path / "code.npz")
    (tmp_path / "stream").write_bytes(stream)
    script = (
        "import numpy as np; from rdcsolve.codes import load_code; "
        "np.save('shown.npy', load_code('code.npz').decode(open('stream', 'rb').read()))"
    )
    root = str(__import__("pathlib").Path(rdc.__file__).parents[1])
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env={"PYTHONPATH": root}, check=True, timeout=60)
    assert np.array_equal(np.load(tmp_path / "shown.npy"), code.reconstruct(code.messages(x)))
    loaded = load_code(tmp_path / "code.npz", classifier)
    assert loaded.encode(x) == stream
    with pytest.raises(rdc.InvalidInput, match="load the code with classifier="):
        load_code(tmp_path / "code.npz").encode(x)


def test_modules_of_torch_are_climbed():
    torch = pytest.importorskip("torch")
    x, y, _ = blobs(5, 300)
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))
    descent = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(150):
        descent.zero_grad()
        torch.nn.functional.cross_entropy(network(torch.tensor(x).float()), torch.tensor(y)).backward()
        descent.step()
    values = []
    fit_quantiser(
        x,
        5,
        classifier=network,
        classifier_multiplier=1.0,
        callback=lambda start, step, value: values.append(value),
    )
    assert (np.diff(values) <= 1e-7).all()  # the network computes in floats of 32 bits


@pytest.mark.parametrize(
    ("stated", "fault"),
    [
        ({"n_words": 0}, "n_words is 0"),
        ({"n_words": 400}, "fewer than n_words=400"),
        ({"n_words": 2, "classifier_multiplier": 0.1}, "give classifier="),
        ({"n_words": 2, "length_multiplier": -1.0}, "length_multiplier is -1.0"),
        ({"n_words": 2, "classifier": "net"}, "pass a function, an estimator or a module"),
        ({"n_words": 2, "n_starts": 0}, "n_starts is 0"),
    ],
)
def test_bad_inputs(stated, fault):
    with pytest.raises(rdc.InvalidInput, match=fault):
        fit_quantiser(np.linspace(0, 1, 300), stated.pop("n_words"), **stated)


def test_bad_samples_and_files(tmp_path):
    code = fit_quantiser(np.linspace(0, 1, 30), 3)
    with pytest.raises(rdc.InvalidInput, match="samples of shape"):
        code.encode(np.zeros((3, 2)))
    with pytest.raises(rdc.InvalidInput, match=r"x\[1, 0\] is nan"):
        code.messages([0.0, np.nan])
    assert code.reconstruct([0, 2, 2]).ravel().tolist() == code.words[[0, 2, 2], 0].tolist()
    for wrong in ([3], [-1], [0.0], ["0"], [[0, 1]], 0, [True]):
        with pytest.raises(rdc.InvalidInput, match="whole numbers from 0 to 2, shape"):
            code.reconstruct(wrong)
    with pytest.raises(rdc.InvalidInput, match="pass the bytes"):
        code.decode("text")
    with pytest.raises(rdc.InvalidInput, match=r"x\[1, 0\] is inf"):
        fit_quantiser([0.0, np.inf], 1)
    with pytest.raises(rdc.InvalidInput, match="as large as 1e\\+300"):
        fit_quantiser([1e300, -1e300] * 9, 2)
    rdc.solve(rdc.Problem(rdc.Source([0.0, 1.0], [0.5, 0.5])).with_limits(D=0.1)).save(tmp_path / "result.npz")
    with pytest.raises(rdc.UnreadableFile, match="not a saved code"):
        load_code(tmp_path / "result.npz")
    code.save(tmp_path / "code.npz")
    whole = (tmp_path / "code.npz").read_bytes()
    (tmp_path / "code.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(rdc.UnreadableFile):
        load_code(tmp_path / "code.npz")


@given(st.integers(0, 2**32 - 1), st.sampled_from([(), (3,), (2, 4)]))
def test_no_samples_are_an_empty_stream(seed, shape):
    pytest.importorskip("constriction")
    x = np.random.default_rng(seed).normal(size=(12, *shape))
    code = rdc.codes.fit_quantiser(x, 3)
    assert code.messages(x[:0]).shape == (0,)
    assert code.decode(code.encode(x[:0])).shape == (0, *code.shape)
    if shape:
        with pytest.raises(rdc.InvalidInput, match=r"samples of shape .*, an array \(n, "):
            code.encode(x[0])


def test_other_archives_are_no_codes(tmp_path):
    np.savez(tmp_path / "source.npz", p_x=[0.5, 0.5])
    with pytest.raises(rdc.UnreadableFile, match=r"not a saved code; write it with Code\.save"):
        rdc.codes.load_code(tmp_path / "source.npz")


def two_classes(batch):
    yes = 1 / (1 + np.exp(-4 * batch[:, :1]))
    return np.hstack([1 - yes, yes])


@pytest.mark.parametrize("classifier", [None, two_classes])
def test_no_samples_are_no_messages(classifier):
    multiplier = 0.0 if classifier is None else 0.1
    code = fit_quantiser(
        np.linspace(-1, 1, 60).reshape(30, 2), 3, classifier=classifier, classifier_multiplier=multiplier
    )
    assert code.messages(np.empty((0, 2))).shape == (0,)
    pytest.importorskip("constriction")
    assert code.decode(code.encode(np.empty((0, 2)))).shape == (0, 2)


def test_a_classifier_of_other_classes_is_refused(tmp_path):
    code = fit_quantiser(np.linspace(-1, 1, 60), 3, classifier=two_classes, classifier_multiplier=0.1)
    code.save(tmp_path / "code.npz")
    other = load_code(tmp_path / "code.npz", lambda batch: np.full((len(batch), 3), 1 / 3))
    with pytest.raises(rdc.InvalidInput, match="tells 3 classes apart, that of the code 2"):
        other.messages([0.0, 1.0])


def test_what_is_no_code_is_refused():
    parts = {"words": [[0.0], [1.0]], "frequencies": [0.5, 0.5], "decisions": np.empty((2, 0)), "shape": (1,)}
    parts |= {"classifier_multiplier": 0.0, "length_multiplier": 0.0}
    assert Code(**parts).messages([0.2, 0.9]).tolist() == [0, 1]
    for change in ({"frequencies": [0.5, 0.7]}, {"frequencies": [1.0, 0.0]}, {"shape": (2,)}, {"words": [[0.0]]}):
        with pytest.raises(rdc.InvalidInput, match="this is no code"):
            Code(**(parts | change))
