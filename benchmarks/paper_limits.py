"""The systems of paper_systems.py beside what no code can beat: limits, decoders, quantisers, on test images.

With a dither of eight values that encoder and decoder share, losses and the rate I(X;Z) of a system are exact sums.
Beside them stand the least squared error at its cross-entropy and 4.755 bits, the same at its own rate, and the least
that any decoder of its messages attains, and quantisers with 27 words that are judged by the same classifier.

python benchmarks/paper_limits.py SYSTEMS.json --outcomes FOLDER --classifier classifier.pt --save FILE.json

SYSTEMS.json, FOLDER and classifier.pt are what paper_systems.py leaves; what FILE.json holds already is not done again.
Images are looked for in the folder that RDCSOLVE_DATA names. POT is needed for sliced Wasserstein distances.
"""

import argparse
import json
import os
import time
from functools import cached_property
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
from rdcsolve.neural.messages import message_channel
from rdcsolve.neural.quantiser import Quantiser
from rdcsolve.theory.transport import sliced_squared_wasserstein
from rdcsolve.universal import achievable_region

DITHERS = 8
MULTIPLIERS = (0.0, 0.0033, 0.0066, 0.015, 0.04, 0.1)
CLEAR = 0.04  # multiplier of the quantiser whose words are letters of the limits
SHOWN = (0.0, 0.0066, 0.015)  # lambda_c of the systems whose images are
DESIGNED_ON = 20_000
N_WORDS = 27
N_PROJECTIONS = 50
BETWEEN = 41  # places at which the bounds between points are kept
TOLERANCE = 1e-4


class Kept:
    """A system of which only the latents of the test images and the decoded messages are at hand."""

    def __init__(self, row, folder):
        self.name, self.row = row["name"], row
        self.quantiser = Quantiser(row["dimension"], row["levels"], not row.get("is_expected", False))
        with np.load(folder / f"{self.name}.npz", allow_pickle=False) as held:
            self._latent = torch.from_numpy(held["latent"])
            self.decoded = held["decoded"].astype(float)

    @property
    def encoder(self):
        """Name of the system whose encoder it has."""
        row = self.row
        if row["on"] is None:
            return self.name
        c, p = row["on"]
        return f"conventional_h{row['dimension']}_L{row['levels']}_c{c:g}_p{p:g}_s{row['seed']}"

    def latent(self, pixels):
        """Return what the encoder makes of the test images, the only ones that it is asked about."""
        assert len(pixels) == len(self._latent)
        return self._latent


class Bench:
    """Test images, classifier, letters, and what is done so far."""

    def __init__(self, options):
        self.options = options
        self.source = json.loads(Path(options.systems).read_text(encoding="utf-8"))
        folder = Path(options.outcomes)
        rows = [row for row in self.source["rows"] if (folder / f"{row['name']}.npz").exists()]
        self.systems = [Kept(row, folder) for row in rows if (row["dimension"], row["levels"]) == (3, 3)]
        n_train, n_test = (256, 100) if options.quick else (None, None)  # as of paper_systems.py
        self.test = neural.load_images("test", dataset=options.dataset, n=n_test)
        everything = neural.load_images("train", dataset=options.dataset, n=n_train)
        preset = neural.Preset(
            **{name: tuple(v) if isinstance(v, list) else v for name, v in self.source["preset"].items()}
        )
        self.classifier = neural.train_classifier(everything, preset, path=options.classifier)  # which is there
        self.train = everything.first(min(DESIGNED_ON, len(everything)))
        self.rate = self.systems[0].quantiser.rate
        self.found = {"limit": {}, "standings": {}, "quantisers": []}
        if options.save and Path(options.save).exists():
            held = json.loads(Path(options.save).read_text(encoding="utf-8"))
            self.found = {name: held[name] for name in self.found}

    @cached_property
    def letters(self):
        """Images that a decoder may show: centroids, words of a quantiser, and what three trained systems show.

        Few, as a solution takes time in proportion to their square; more would lower the limits.
        """
        sample = self.train.first(min(10_000, len(self.train))).pixels().double().numpy()
        centres = np.clip(kmeans_codebook(sample, 8 if self.options.quick else 256), 0.0, 1.0)
        words = fit_quantiser(self.train.pixels().numpy(), N_WORDS, rng=0, **self.judging(CLEAR)).words
        plain = [one for one in self.systems if one.row["on"] is None and not one.row["lambda_p"]]
        plain = [one for one in plain if one.row["seed"] == 0 and one.row["lambda_c"] in SHOWN]
        return np.concatenate([centres, words, *(one.decoded[: one.quantiser.n_messages] for one in plain)])

    def judging(self, multiplier):
        """Return what makes a quantiser mind the classifier."""
        return {"classifier": self.classifier, "classifier_multiplier": multiplier} if multiplier else {}

    @cached_property
    def problem(self):
        """The limit's problem, at a rate and a cross-entropy still to be stated."""
        return limit_problem(self.test, self.classifier, self.letters)

    def limit(self, name, rate):
        """Return the least squared error against cross-entropy at a rate, certified at and between points."""
        path = Path(self.options.save).with_suffix(f".{name}.nc")
        losses = [one[CROSS_ENTROPY] for one in self.found["standings"].values()]
        bounds = np.geomspace(min(losses), max(losses), 3 if self.options.quick else self.options.points)
        data = tradeoff(self.problem, rate, CROSS_ENTROPY, bounds, tolerance=TOLERANCE, save=path)
        envelope = Envelope(data)
        x = np.geomspace(*bounds[[0, -1]], BETWEEN)
        ends = [bound(x[:, None]) for bound in (envelope.lower_at, envelope.upper_at)]
        self.found["limit"][name] = {
            "rate": rate,
            "points": np.stack([envelope.points[:, 0], envelope.lower, envelope.upper], axis=1).tolist(),
            "statuses": sorted({str(value) for value in np.ravel(data["status"].values)}),
            "between": np.stack([x, *ends], axis=1).tolist(),
        }
        self.write()
        print(name, self.found["limit"][name], flush=True)
        return envelope

    def set_beside_limits(self):
        """Add limits at the largest rate, and at each own rate: an upper bound there, by convexity in the rate."""
        if all("limit" in one for one in self.found["standings"].values()):
            return
        least = min(one["rate"] for one in self.found["standings"].values())
        at_most, at_least = self.limit("most", self.rate), self.limit("least", least)
        for one in self.found["standings"].values():
            where = [[one[CROSS_ENTROPY]]]
            one["limit"] = [float(bound(where)[0]) for bound in (at_most.lower_at, at_most.upper_at)]
            share = (one["rate"] - least) / (self.rate - least)
            one["limit_at_rate"] = share * one["limit"][1] + (1 - share) * float(at_least.upper_at(where)[0])
        self.write()

    def judge(self, systems):
        """Set the systems that share an encoder beside their limits."""
        systems = [one for one in systems if one.name not in self.found["standings"]]
        if not systems:
            return
        channel = message_channel(systems[0], self.test.pixels(), n_dithers=DITHERS)
        joint = channel / len(self.test)
        q, pixels = joint.sum(axis=0), self.test.pixels().double().numpy()
        means = (joint.T @ pixels)[q > 0] / q[q > 0, None]
        classes = np.eye(10)[self.test.classes.numpy()]
        label_entropy = entropy((joint.T @ classes).ravel()) - entropy(q)
        mmse = (np.square(pixels).sum(axis=1).mean() - q[q > 0] @ np.square(means).sum(axis=1)) / pixels.shape[1]
        shown = [one.decoded for one in systems]
        decoders = limit_problem(self.test, self.classifier, np.concatenate([self.letters, means, *shown]))
        region = achievable_region(channel, decoders, ("distortion", CROSS_ENTROPY))
        corners, start = region.vertices[::-1], len(self.letters) + len(means)
        for one in systems:
            began, own = time.process_time(), slice(start, start + len(one.decoded))
            start += len(one.decoded)
            mse, cross_entropy = (float((joint * loss.block(None, own)).sum()) for loss in decoders.linear_losses)
            self.found["standings"][one.name] = {
                "mse": mse,
                CROSS_ENTROPY: cross_entropy,
                "rate": region.rate,
                "best_decoder": float(np.interp(cross_entropy, corners[:, 1], corners[:, 0])),
                "mmse": float(mmse),
                "label_entropy": float(label_entropy),
                "sliced_w2": self.sliced(one, channel),
            }
            print(f"{one.name}: {self.found['standings'][one.name]}, {time.process_time() - began:.1f} s", flush=True)
        self.write()

    def sliced(self, system, channel):
        """Return the sliced squared Wasserstein distance of reconstructions, a shared dither drawn for each image."""
        drawn = np.random.default_rng(0).integers(DITHERS, size=len(channel))
        at = channel.reshape(len(channel), DITHERS, -1)[np.arange(len(channel)), drawn].argmax(axis=1)
        shown = system.decoded[drawn * system.quantiser.n_messages + at]
        pixels = self.test.pixels().numpy()
        return float(sliced_squared_wasserstein(pixels, shown, n_projections=N_PROJECTIONS, rng=0))

    def quantise(self, multiplier):
        """Design a quantiser on training images and measure it on test images."""
        if any(one["multiplier"] == multiplier for one in self.found["quantisers"]):
            return
        began = time.process_time()
        code = fit_quantiser(self.train.pixels().numpy(), N_WORDS, rng=0, **self.judging(multiplier))
        seconds = time.process_time() - began
        images = self.test.pixels().numpy()
        sent = np.asarray(code.messages(images))
        words = code.words
        problem = limit_problem(self.test, self.classifier, words)
        everyone = np.arange(len(sent))
        mse, cross_entropy = (float(loss.block()[everyone, sent].mean()) for loss in problem.linear_losses)
        with torch.no_grad():
            guess = self.classifier(torch.from_numpy(words).float()).argmax(dim=1).numpy()
        bits = entropy(np.bincount(sent, minlength=len(words)) / len(sent))
        row = {"multiplier": multiplier, "words": len(words), "mse": mse, CROSS_ENTROPY: cross_entropy}
        row |= {"accuracy": float((guess[sent] == self.test.classes.numpy()).mean()), "rate": float(bits)}
        row |= {"sliced_w2": float(sliced_squared_wasserstein(self.test.pixels().numpy(), words[sent], rng=0))}
        self.found["quantisers"].append(row | {"cpu_seconds": seconds})
        print(row, f"{seconds:.0f} s", flush=True)
        self.write()

    def trained(self):
        """Return what paper_systems.py found, without the losses of every epoch."""
        at = time.strftime("%Y-%m-%d", time.gmtime(Path(self.options.systems).stat().st_mtime))
        rows = [{name: value for name, value in row.items() if name != "history"} for row in self.source["rows"]]
        for row in rows:
            row["measures"] = {
                name: [None if x is None else round(x, 6) for x in values]
                for name, values in row["measures"].items()
                if values[0] is not None
            }
        return self.source | {"date": at, "rows": rows}

    def write(self):
        """Write the file anew, under another name first."""
        path = Path(self.options.save)
        beside = path.with_name(path.name + ".new")
        content = {"trained": self.trained(), "machine": machine(), "letters": len(self.letters)} | self.found
        beside.write_text(json.dumps(content), encoding="utf-8")
        os.replace(beside, path)


def main():
    """Limits, systems, quantisers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("systems", metavar="SYSTEMS.json")
    parser.add_argument("--outcomes", metavar="FOLDER", required=True)
    parser.add_argument("--classifier", metavar="FILE", required=True)
    parser.add_argument("--save", metavar="FILE.json", required=True)
    parser.add_argument("--points", type=int, default=7, help="of each limit")
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--quick", action="store_true", help="for systems of paper_systems.py --quick; few letters")
    options = parser.parse_args()
    if not Path(options.classifier).exists():
        parser.error(f"{options.classifier} is not there; give the classifier.pt that paper_systems.py left")
    torch.set_num_threads(1)
    bench = Bench(options)
    by_encoder = {}
    for one in bench.systems:
        by_encoder.setdefault(one.encoder, []).append(one)
    for multiplier in MULTIPLIERS[: 2 if options.quick else None]:
        bench.quantise(multiplier)
    for systems in by_encoder.values():
        bench.judge(systems)
    bench.set_beside_limits()


if __name__ == "__main__":
    main()
