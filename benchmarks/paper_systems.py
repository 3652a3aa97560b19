"""The paper's MNIST systems, preset `paper`, many at a time on a GPU: what each attains on the test images.

First conventional systems at 4.755 bits, then universal decoders, systems of preset `expected`, both of the first with
a Wasserstein term, other seeds, other rates. Every block of systems is written to the file as soon as it is measured; a
block that would not end within the time limit is not begun, and what the file and the folder of systems hold already is
not done again.

python benchmarks/paper_systems.py --save FILE.json [--systems FOLDER] [--time-limit SECONDS] [--device auto] [--quick]

Images are looked for in the folder that RDCSOLVE_DATA names. With --sliced POT is needed too.
"""

import argparse
import dataclasses
import gc
import json
import os
import time
import traceback
from pathlib import Path

import numpy as np
import torch
from measure import machine

from rdcsolve import neural
from rdcsolve.errors import RdcError
from rdcsolve.neural import devices

LAMBDAS_C = (0.0, 0.001, 0.0033, 0.0066, 0.008, 0.011, 0.013, 0.015)
LAMBDAS_P = (0.0033, 0.005, 0.0066, 0.008, 0.01, 0.011, 0.013, 0.015)
LAMBDAS_P_UNIVERSAL = (0.0025, 0.004, 0.005, 0.006, 0.008, 0.009, 0.01, 0.011, 0.013)
FEW_C, FEW_P = (0.0, 0.0033, 0.015), (0.0033, 0.008, 0.015)
UNIVERSAL = 1000  # what a decoder's seed is above its encoder's
SHARED_DITHERS = 8


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A system to train; `on` are lambda_c and lambda_p of the encoder that it reuses."""

    lambda_c: float
    lambda_p: float = 0.0
    dimension: int = 3
    levels: int = 3
    seed: int = 0
    on: tuple[float, float] | None = None
    is_expected: bool = False  # preset "expected", in place of "paper"

    @property
    def encoder(self):
        """The system whose encoder is reused."""
        return None if self.on is None else Wanted(*self.on, self.dimension, self.levels, self.seed)

    @property
    def name(self):
        """Also of its files."""
        tail = "_expected" if self.is_expected else ""
        tail += "" if self.on is None else f"_on_c{self.on[0]:g}_p{self.on[1]:g}"
        kind = "conventional" if self.on is None else "universal"
        return f"{kind}_h{self.dimension}_L{self.levels}_c{self.lambda_c:g}_p{self.lambda_p:g}_s{self.seed}{tail}"

    @property
    def cost(self):
        """About how long it takes, beside a system without critic; measured on a processor."""
        return (1.0 if self.on is None else 0.9) * (4.0 if self.lambda_p else 1.0) * (2.7 if self.is_expected else 1.0)


def blocks():
    """Return names of blocks and their systems, the most telling first."""
    low = (LAMBDAS_C[-1], 0.0)
    sharp = (LAMBDAS_C[-1], LAMBDAS_P[-1])
    yield "conventional", [Wanted(c) for c in LAMBDAS_C]
    yield "universal, encoder for low cross-entropy", [Wanted(c, on=low) for c in LAMBDAS_C]
    yield "expected loss over all messages", [Wanted(c, is_expected=True) for c in LAMBDAS_C]
    yield "with a Wasserstein term", [Wanted(0.0033, p) for p in LAMBDAS_P]
    yield "with it, other lambda_c", [Wanted(c, p) for c in (0.015, 0.0) for p in FEW_P]
    yield "universal with it, published lambda_p", [Wanted(0.015, p, on=sharp) for p in LAMBDAS_P_UNIVERSAL]
    yield "other seeds", [Wanted(c, seed=s) for s in (1, 2) for c in FEW_C]
    yield "expected loss, other seeds", [Wanted(c, seed=s, is_expected=True) for s in (1, 2) for c in FEW_C]
    yield "universal, other seeds", [Wanted(c, seed=s, on=low) for s in (1, 2) for c in FEW_C]
    yield "universal, encoder for low distortion", [Wanted(c, on=(0.0, 0.0)) for c in LAMBDAS_C]
    for dimension, levels in ((3, 2), (3, 4), (4, 4)):
        bits = dimension * np.log2(levels)
        systems = [Wanted(c, dimension=dimension, levels=levels) for c in LAMBDAS_C]
        yield f"conventional, {bits:g} bits", systems
        yield f"universal, {bits:g} bits", [dataclasses.replace(one, on=low) for one in systems]
    yield "with a Wasserstein term, other seeds", [Wanted(0.0033, p, seed=s) for s in (1, 2) for p in FEW_P]


class Bench:
    """Images, classifier and what is done so far."""

    def __init__(self, options):
        self.options, self.began = options, time.monotonic()
        self.preset = self.scheduled("paper")
        n = (256, 100) if options.quick else (None, None)
        self.train, self.test = (
            neural.load_images(part, dataset=options.dataset, n=number)
            for part, number in zip(("train", "test"), n, strict=True)
        )
        self.folder = Path(options.systems) if options.systems else None
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        self.rows, self.blocks, self.kept, self.pace = [], [], {}, None
        if options.save and Path(options.save).exists():
            held = json.loads(Path(options.save).read_text(encoding="utf-8"))
            self.rows, self.blocks = held["rows"], held["blocks"]
        path = None if self.folder is None else self.folder / "classifier.pt"
        self.classifier = neural.train_classifier(self.train, self.preset, path=path, device=options.device)
        with torch.no_grad():
            right = self.classifier(self.test.pixels()).argmax(dim=1) == self.test.classes
        self.accuracy = float(right.float().mean())

    def scheduled(self, name):
        """Return a preset, as the options change it."""
        preset = neural.PRESETS[name]
        if self.options.quick:
            preset = dataclasses.replace(preset, epochs=2, averaged=1, milestones=(1,), classifier_epochs=1)
        return dataclasses.replace(preset, epochs=self.options.epochs) if self.options.epochs else preset

    @property
    def seconds(self):
        """Since the beginning."""
        return time.monotonic() - self.began

    def is_done(self, wanted):
        """Whether the file holds its measures."""
        return any(row["name"] == wanted.name for row in self.rows)

    def system(self, wanted):
        """Return a system that is done, None if it is not at hand."""
        if wanted.name in self.kept:
            return self.kept[wanted.name]
        path = None if self.folder is None else self.folder / f"{wanted.name}.pt"
        return neural.load_system(path) if path is not None and path.exists() else None

    def fits(self, block):
        """Whether a block is likely to end in time."""
        limit = self.options.time_limit
        if limit is None:
            return True
        expected = 0.0 if self.pace is None else 1.15 * self.pace * sum(one.cost for one in block)
        return self.seconds + expected < limit

    def do(self, title, block):
        """Train and measure what is missing of a block."""
        block = [one for one in block if not self.is_done(one)]
        block = [one for one in block if one.encoder is None or self.system(one.encoder) is not None]
        if not block or not self.fits(block):
            return
        began, tasks = time.monotonic(), []
        for one in block:
            reused = None if one.encoder is None else self.system(one.encoder)
            seed = one.seed if reused is None else one.seed + UNIVERSAL
            weights = neural.Weights(1.0, one.lambda_c, one.lambda_p)
            preset = self.scheduled("expected") if one.is_expected else self.preset
            tasks.append(neural.Task(weights, preset, one.dimension, one.levels, reused, seed))
        systems = neural.train_together(self.train, self.classifier, tasks, device=self.options.device)
        trained = time.monotonic() - began
        # Of the last blocks the slowest, as blocks differ in how well they fill a GPU.
        self.pace = max(trained / sum(one.cost for one in block), 0.7 * (self.pace or 0.0))
        for one, system in zip(block, systems, strict=True):
            self.measure(title, one, system)
        self.blocks.append(
            {"title": title, "systems": len(block), "trained": trained, "seconds": time.monotonic() - began}
        )
        print(f"{title}: {len(block)} systems, {trained:.1f} s; {self.seconds:.0f} s in all", flush=True)
        self.write()
        gc.collect()  # recordings hold memory of the GPU

    def measure(self, title, wanted, system):
        """Measure a system, and keep what later blocks and pictures need of it."""
        n_projections = 50 if self.options.sliced else None
        found = neural.evaluate(
            system, self.test, self.classifier, n_bootstrap=100, n_projections=n_projections, device=self.options.device
        )
        row = {"name": wanted.name, "block": title, **dataclasses.asdict(wanted)}
        row["measures"] = {name: [None if np.isnan(x) else x for x in values] for name, values in found.items()}
        row["history"] = [{name: round(value, 6) for name, value in epoch.items()} for epoch in system.history]
        self.rows.append(row)
        bits = found["message_entropy"].value / np.log(2)
        mse, cross_entropy, accuracy = (found[measure].value for measure in ("mse", "cross_entropy", "accuracy"))
        print(f"  {wanted.name}: {mse:.4f}, {cross_entropy:.3f} nat, {accuracy:.3f}, {bits:.2f} bit", flush=True)
        if wanted.on is None:
            self.kept[wanted.name] = system
        if self.folder is not None:
            dataclasses.replace(system, earlier=()).save(self.folder / f"{wanted.name}.pt")
        if self.options.outcomes and system.quantiser.n_messages <= 64:
            folder = Path(self.options.outcomes)
            folder.mkdir(parents=True, exist_ok=True)
            decoded = neural.decoded_messages(system, n_dithers=SHARED_DITHERS).astype(np.float16)
            latent = system.latent(self.test.pixels()).numpy()
            np.savez_compressed(folder / f"{wanted.name}.npz", latent=latent, decoded=decoded)

    def write(self):
        """Write the file anew, under another name first."""
        if not self.options.save:
            return
        device = devices.device_of(self.options.device)
        where = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
        content = {
            "machine": machine() | {"torch": torch.__version__, "device": where},
            "preset": dataclasses.asdict(self.preset),
            "classifier_accuracy": self.accuracy,
            "seconds": self.seconds,
            "blocks": self.blocks,
            "rows": self.rows,
        }
        path = Path(self.options.save)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".new")
        beside.write_text(json.dumps(content), encoding="utf-8")
        os.replace(beside, path)


def probe(bench):
    """See that recorded steps do what the same steps do one by one, and how fast both are; else do without them."""
    few = dataclasses.replace(bench.preset, epochs=1, milestones=(), averaged=1)
    images = bench.train.first(64 * 80)
    tasks = [neural.Task(neural.Weights(1.0, 0.0033, lambda_p), few) for lambda_p in (0.0, 0.005)]
    recorded, ends = devices._AS_THEY_ARE, {}
    try:
        for warm_up, words in ((10**9, "one by one"), (10**9, "one by one, again"), (recorded, "recorded")):
            devices._AS_THEY_ARE = warm_up
            for task, kind in zip(tasks, ("without critic", "with critic"), strict=True):
                began = time.monotonic()
                (system,) = neural.train_together(images, bench.classifier, [task], device=bench.options.device)
                ends[words, kind] = system.history[0]
                print(f"probe, {words}, {kind}: {time.monotonic() - began:.2f} s, {system.history[0]}", flush=True)
        for kind in ("without critic", "with critic"):
            alone, together = ends["one by one", kind], ends["recorded", kind]
            if any(abs(alone[name] - together[name]) > 0.02 * abs(alone[name]) + 0.02 for name in alone):
                raise RuntimeError(f"recorded steps end elsewhere: {alone} and {together}")
    except Exception:
        traceback.print_exc()
        print("probe: recorded steps fail; every step is launched by itself", flush=True)
        devices._AS_THEY_ARE = 10**9
        bench.pace, bench.options.together = 60.0, 2


def main():
    """Train, measure, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", metavar="FILE.json", help="measures of all systems")
    parser.add_argument("--systems", metavar="FOLDER", help="where trained systems are kept")
    parser.add_argument(
        "--outcomes", metavar="FOLDER", help="where latents of test images and decoded messages are kept"
    )
    parser.add_argument("--time-limit", type=float, metavar="SECONDS")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--together", type=int, default=9, help="at most so many systems side by side")
    parser.add_argument("--epochs", type=int, help="instead of 30")
    parser.add_argument("--blocks", type=int, nargs="+", metavar="N", help="only these blocks, counted from 0")
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--sliced", action="store_true", help="measure sliced Wasserstein distances too; slow")
    parser.add_argument("--quick", action="store_true", help="few images, two epochs, the ends of every block")
    options = parser.parse_args()
    bench = Bench(options)
    print(f"classifier: accuracy {bench.accuracy:.4f} on test images, {bench.seconds:.1f} s", flush=True)
    if devices.device_of(options.device).type == "cuda":
        probe(bench)
    for number, (title, block) in enumerate(blocks()):
        if options.blocks is not None and number not in options.blocks:
            continue
        chosen = [block[0], block[-1]] if options.quick else block
        for start in range(0, len(chosen), options.together):
            try:
                bench.do(title, chosen[start : start + options.together])
            except (RdcError, RuntimeError):  # of one block: the others may still do
                traceback.print_exc()
    bench.write()
    print(f"{len(bench.rows)} systems, {bench.seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
