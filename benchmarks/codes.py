"""Codes: what audits cost; what quantisers of images attain, for one task and for two, as streams decoded elsewhere.

python benchmarks/codes.py [--quick] [--classifier FILE.pt] [--save FILE.json]

Digits come with scikit-learn. MNIST is looked for in the folder that RDCSOLVE_DATA names, and needs torch; without the
folder, and with --quick, it is left out. --classifier names one that was trained before (`neural.train_classifier`).
"""

import os
import subprocess
import sys

from measure import ONE_THREAD

os.environ.update(ONE_THREAD)

import argparse  # noqa: E402
import tempfile  # noqa: E402
from dataclasses import asdict  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
from measure import median_of, save  # noqa: E402
from sklearn.cluster import KMeans  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

import rdcsolve as rdc  # noqa: E402
from rdcsolve.codes import fit_quantiser, fit_universal_quantiser  # noqa: E402
from rdcsolve.information import entropy  # noqa: E402

DESIGN = 20_000  # training images that quantisers of MNIST are made of
# words, the multipliers of the classifier and of the length
QUANTISERS = [
    (8, 0.0066, 0.0),
    (14, 0.0066, 0.0014),
    (27, 0.0, 0.0),
    (27, 0.0066, 0.0),
    (48, 0.0075, 0.0014),
    (64, 0.0075, 0.0),
    (256, 0.0075, 0.0),
]
DECODE = (
    "import sys, numpy as np; from rdcsolve.codes import load_code; "
    "np.save(sys.argv[3], load_code(sys.argv[1]).decode(open(sys.argv[2], 'rb').read()))"
)


def audited(name, code, test, classifier, labels, letters):
    """Audit a code on test images beside letters of the training set: CPU seconds, and what came out."""
    messages = code.messages(test)
    shown = code.reconstruct(messages)
    # a limit of wall time would end a limit early on a busy machine
    stated = {"labels": labels, "classifier": classifier, "letters": letters, "unit": "bit", "time_limit": 3600.0}
    timed = median_of(lambda: rdc.audit(test, shown, messages, **stated), 1)
    found = timed.value
    row = {
        "part": "audit",
        "name": name,
        "letters": found.problem.n_letters,
        "cpu": timed.cpu,
        "statuses": sorted({f"{one.status.name} {one.proof.name}" for one in found.results.values()}),
        "rate parts": [part.value for part in found.rate_parts],
        "loss parts": [part.value for part in found.loss_parts],
        "laws": {line.name: [line.value, line.lower, line.upper] for line in found.lines if "^2" in line.name},
    }
    print(
        f"audit of {name}: {test.shape[0]} images, {row['letters']} letters, {row['cpu']:.1f} CPU s, {row['statuses']}"
    )
    return row


def streamed(code, test):
    """Return bits per image of a stream that another process has decoded to the same images, and bits beyond H(Z)."""
    stream, messages = code.encode(test), code.messages(test)
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / name) for name in ("code.npz", "stream", "shown.npy")]
        code.save(paths[0])
        Path(paths[1]).write_bytes(stream)
        root = str(Path(rdc.__file__).parents[1])
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
        subprocess.run([sys.executable, "-c", DECODE, *paths], check=True, env=environment)
        is_same = np.array_equal(np.load(paths[2]), code.reconstruct(messages))
    if not is_same:
        raise SystemExit("another process decoded other images")
    least = messages.size * entropy(np.bincount(messages) / messages.size, base=2)
    return 8 * len(stream) / messages.size, 8 * len(stream) - 1.01 * least


def quantised(setting, design, test, classifier, judge, labels):
    """Make a quantiser and run it on test images."""
    n_words, of_classifier, of_length = setting
    multipliers = {"classifier_multiplier": of_classifier, "length_multiplier": of_length}
    timed = median_of(lambda: fit_quantiser(design, n_words, classifier=classifier, **multipliers), 1)
    code = timed.value
    bits, beyond = streamed(code, test)
    shown = code.reconstruct(code.messages(test))
    masses = judge(shown)
    row = {
        "part": "quantiser",
        "words": n_words,
        "multipliers": list(multipliers.values()),
        "squared_error": float(np.square(test - shown).mean()),
        "cross_entropy": float(-np.log(masses[np.arange(labels.size), labels]).mean()),
        "accuracy": float((masses.argmax(axis=1) == labels).mean()),
        "bits": bits,
        "bits_beyond_a_hundredth": beyond,
        "cpu": timed.cpu,
    }
    print(
        f"{n_words} words, {of_classifier:g}, {of_length:g}: squared error {row['squared_error']:.4f}, cross-entropy "
        f"{row['cross_entropy']:.3f}, accuracy {row['accuracy']:.3f}, {bits:.3f} bit an image ({beyond:+.0f} beyond "
        f"1.01 H), {timed.cpu:.1f} CPU s",
        flush=True,
    )
    return row, code


def universal(name, n_words, multiplier, design, test, classifier, labels):
    """Make one code for two tasks and measure it beside codes for each alone and the certified limit."""
    targets = {"restore": 0.0, "recognise": multiplier}
    made = median_of(lambda: fit_universal_quantiser(design, n_words, targets=targets, classifier=classifier), 1)
    timed = median_of(lambda: made.value.measure(test, labels=labels, unit="bit"), 1)
    found = timed.value
    row = {
        "part": "universal",
        "name": name,
        "words": n_words,
        "multiplier": multiplier,
        "targets": {target.name: asdict(target) for target in found.targets},
        "rate": found.rate,
        "limit": [found.limit.rate_lower, found.limit.rate_upper],
        "penalty": [found.limit.penalty_lower, found.limit.penalty_upper],
        "proof": found.limit.proof.name,
        "cpu": [made.cpu, timed.cpu],
    }
    print(f"{name}, {made.cpu:.1f} CPU s to make and {timed.cpu:.1f} to measure: {found}", flush=True)
    return row


def of_digits():
    """Quantise and audit the digits of scikit-learn."""
    images, labels = load_digits(return_X_y=True)
    images = images / 16
    design, test = images[:900], images[900:]
    classifier = LogisticRegression(max_iter=500).fit(design, labels[:900])
    row, code = quantised((16, 0.01, 0.0), design, test, classifier, classifier.predict_proba, labels[900:])
    letters = KMeans(60, n_init=1, random_state=1).fit(design).cluster_centers_
    common = universal("digits", 16, 0.5, design, test, classifier, labels[900:])
    return [row, audited("digits", code, test, classifier, labels[900:], letters), common]


def of_mnist(path):
    """Quantise the test images of MNIST at several rates, and audit the code of 27 words."""
    import torch

    from rdcsolve import neural

    torch.set_num_threads(1)
    training, test = neural.load_images("train"), neural.load_images("test")
    with tempfile.TemporaryDirectory() as folder:
        network = neural.train_classifier(training, "cpu", path=path or Path(folder) / "classifier.pt").eval()

    def judge(batch):
        with torch.no_grad():
            return torch.softmax(network(torch.as_tensor(batch, dtype=torch.float32)), 1).double().numpy()

    design, seen = training.first(DESIGN).pixels().double().numpy(), test.pixels().double().numpy()
    labels = test.classes.numpy()
    rows, codes = [], {}
    for setting in QUANTISERS:
        row, codes[setting] = quantised(setting, design, seen, network, judge, labels)
        rows.append(row)
    letters = KMeans(300, n_init=1, max_iter=30, random_state=1).fit(design).cluster_centers_
    rows.append(audited("MNIST", codes[27, 0.0066, 0.0], seen, network, labels, letters))
    rows.append(universal("MNIST", 27, 0.03, design, seen, network, labels))
    return rows


def main():
    """Print what is measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--classifier")
    parser.add_argument("--save")
    options = parser.parse_args()
    rows = of_digits()
    if not options.quick and os.environ.get("RDCSOLVE_DATA"):
        rows += of_mnist(options.classifier)
    save(rows, options.save)


if __name__ == "__main__":
    main()
