"""Trained systems beside the limit at their own perception: what realism costs any code, and what it costs them.

Of every finished run of an experiment's first seed, an audit on test images that asks for perception: how far the law
of its reconstructions is from that of the images, the least squared error at its cross-entropy and rate, and the same
for codes whose reconstructions are no further from the images, each with its proved bounds. A dither of a few values is
shared, so that all of it is exact for these images. Letters are k-means centres of training images, training images
themselves, which look real, and what the system shows.

python benchmarks/neural_realism.py FOLDER --save FILE.json

FOLDER is of `rdcsolve neural run`; what FILE.json holds already is not done again. Images are looked for in the folder
that RDCSOLVE_DATA names.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
from markdown_table import table
from measure import machine

import rdcsolve as rdc
from rdcsolve import neural
from rdcsolve.data import kmeans_codebook
from rdcsolve.neural.messages import decoded_messages, message_channel


def audited(system, images, classifier, letters, options):
    """Return the audit of a system that shares a dither of a few values with its decoder, per pixel."""
    pixels = images.pixels()
    channel = message_channel(system, pixels, n_dithers=options.dithers).reshape(len(pixels), options.dithers, -1)
    sent = channel.argmax(axis=2)
    words = decoded_messages(system, n_dithers=options.dithers).reshape(options.dithers, -1, pixels.shape[1])
    dither = np.tile(np.arange(options.dithers), len(pixels))
    x = np.repeat(pixels.double().numpy(), options.dithers, axis=0)
    return rdc.audit(
        x,
        words[dither, sent.ravel()],
        sent.ravel(),
        dither=dither,
        lengths=system.quantiser.rate,
        labels=np.repeat(images.classes.numpy(), options.dithers),
        classifier=classifier,
        letters=letters,
        perception=options.perception,
        time_limit=options.time_limit,
        n_bootstrap=0,
    )


def row_of(name, found, weights, seconds):
    """Return the numbers of an audit that the table shows."""
    row = {"system": name, "lambda_c": weights.lambda_c, "lambda_p": weights.lambda_p, "cpu_seconds": seconds}
    for line in found.lines:
        row[line.name] = [line.value, line.lower, line.upper, line.kind]
    return row


def main():
    """Audit what a folder holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("--save", metavar="FILE.json")
    parser.add_argument("--perception", default="mmd", choices=("w2", "w1", "mmd"))
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--dithers", type=int, default=4)
    parser.add_argument("--letters", type=int, default=128, help="centres, and as many training images")
    parser.add_argument("--time-limit", type=float, default=120.0, help="seconds for each limit")
    options = parser.parse_args()
    torch.set_num_threads(1)
    experiment, results = neural.read_experiment(options.folder), neural.read_results(options.folder)
    test = neural.load_images("test", dataset=experiment.dataset, n=options.images)
    train = neural.load_images("train", dataset=experiment.dataset, n=min(10_000, experiment.preset.n_train or 10_000))
    shown = train.pixels().double().numpy()
    letters = np.concatenate([np.clip(kmeans_codebook(shown, options.letters), 0.0, 1.0), shown[: options.letters]])
    classifier = neural.classifier_of(experiment, options.folder)
    path = Path(options.save) if options.save else None
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path and path.exists() else []
    done = {row["system"] for row in rows}
    for name, one in results.items():
        if name in done or one["run"].repetition:
            continue
        began = time.process_time()
        system = neural.load_system(Path(options.folder) / f"{name}.pt")
        found = audited(system, test, classifier, letters, options)
        rows.append(row_of(name, found, one["run"].weights, time.process_time() - began))
        print(name, f"{rows[-1]['cpu_seconds']:.0f} CPU s", found, sep="\n", flush=True)
        if path:
            beside = path.with_name(path.name + ".new")
            beside.write_text(json.dumps({"machine": machine(), "rows": rows}), encoding="utf-8")
            os.replace(beside, path)
    columns = ["distortion", "least distortion at the length", "least distortion as realistic"]
    columns[1:1] = [name for name in rows[0] if name.endswith("of all samples")] if rows else []
    table(["system", *columns], [[row["system"], *(f"{row[c][0]:.4f}" for c in columns)] for row in rows])


if __name__ == "__main__":
    main()
