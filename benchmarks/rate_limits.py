"""Limits on MNIST at three and six bits: the least squared error at each cross-entropy, on the test images.

python benchmarks/rate_limits.py [--save FILE.json] [--classifier FILE.pt] [--points 5]

No trained system is needed: the letters are k-means centres of training images and the words of quantisers at that
rate, `fit_quantiser`, which stand beside the limits. The classifier is that of preset `paper`, trained here unless
FILE.pt is there. Images are looked for in the folder that RDCSOLVE_DATA names; points that are done are not done again.
At eight bits such limits would need many more letters than 256 messages.
"""

import argparse
import json
import math
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from measure import machine

from rdcsolve import neural, tradeoff
from rdcsolve.codes import fit_quantiser
from rdcsolve.data import kmeans_codebook
from rdcsolve.explore.envelope import Envelope
from rdcsolve.information import entropy
from rdcsolve.neural.limit import CROSS_ENTROPY, limit_problem
from rdcsolve.writing import whole_file

# messages, and the cross-entropies between which the systems of the results page lie
RATES = {8: (0.6, 2.2), 64: (0.14, 1.2)}
MULTIPLIERS = (0.0066, 0.04)
DESIGNED_ON = 20_000
BETWEEN = 41  # places at which the bounds between points are kept
TOLERANCE = 1e-4


def quantiser(n_words, multiplier, design, test, classifier):
    """Return a quantiser's words, and what it attains on test images."""
    began = time.process_time()
    judging = {"classifier": classifier, "classifier_multiplier": multiplier} if multiplier else {}
    code = fit_quantiser(design.pixels().numpy(), n_words, rng=0, **judging)
    seconds = time.process_time() - began
    sent = code.messages(test.pixels().numpy())
    losses = limit_problem(test, classifier, code.words).linear_losses
    mse, cross_entropy = (float(loss.block()[np.arange(sent.size), sent].mean()) for loss in losses)
    rate = entropy(np.bincount(sent, minlength=code.n_words) / sent.size)
    found = {"words": code.n_words, "multiplier": multiplier, "mse": mse, CROSS_ENTROPY: cross_entropy, "rate": rate}
    return code.words, found | {"cpu_seconds": seconds}


def limit(problem, rate, bounds, path):
    """Return bounds on the least squared error at cross-entropies, at the points solved for and between them."""
    began = time.process_time()
    data = tradeoff(problem, rate, CROSS_ENTROPY, bounds, tolerance=TOLERANCE, save=path)
    envelope = Envelope(data)
    x = np.geomspace(*bounds[[0, -1]], BETWEEN)
    ends = [bound(x[:, None]) for bound in (envelope.lower_at, envelope.upper_at)]
    return {
        "rate": rate,
        "letters": problem.n_letters,
        "points": np.stack([envelope.points[:, 0], envelope.lower, envelope.upper], axis=1).tolist(),
        "statuses": sorted({f"{s} {p}" for s, p in zip(data.status.values, data.proof.values, strict=True)}),
        "between": np.stack([x, *ends], axis=1).tolist(),
        "cpu_seconds": time.process_time() - began,
    }


def at_rate(n_words, points, sets, classifier, kept):
    """Return quantisers of so many words, and the limit at that rate."""
    design, test = sets
    made = [quantiser(n_words, multiplier, design, test, classifier) for multiplier in MULTIPLIERS]
    sample = design.first(10_000).pixels().double().numpy()
    centres = np.clip(kmeans_codebook(sample, 256), 0.0, 1.0)
    problem = limit_problem(test, classifier, np.concatenate([centres, made[-1][0]]))
    bounds = np.geomspace(*RATES[n_words], points)
    return {"quantisers": [row for _, row in made], "limit": limit(problem, math.log(n_words), bounds, kept)}


def main():
    """Quantisers and limits, one rate after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", metavar="FILE.json")
    parser.add_argument("--classifier", metavar="FILE.pt")
    parser.add_argument("--points", type=int, default=5, help="of each limit")
    options = parser.parse_args()
    torch.set_num_threads(1)
    training, test = neural.load_images("train"), neural.load_images("test")
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(options.save).with_suffix("") if options.save else Path(folder) / "limits"
        classifier = neural.train_classifier(training, "paper", path=options.classifier)
        with torch.no_grad():
            accuracy = float((classifier(test.pixels()).argmax(dim=1) == test.classes).double().mean())
        sets = (training.first(DESIGNED_ON), test)
        found = {"machine": machine(), "classifier_accuracy": accuracy, "rates": {}}
        for n_words in RATES:
            path = kept.with_name(f"{kept.name}.{n_words}.nc")
            found["rates"][n_words] = at_rate(n_words, options.points, sets, classifier, path)
            print(n_words, json.dumps(found["rates"][n_words]), flush=True)
            if options.save:
                with whole_file(Path(options.save)) as file:
                    file.write(json.dumps(found).encode())


if __name__ == "__main__":
    main()
