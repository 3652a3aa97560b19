"""All benchmarks, one after the other.

python benchmarks/run.py [--quick] [--save FOLDER]
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = [
    "fused_step",
    "targets",
    "wide_grids",
    "cost_of_check",
    "grids",
    "perception_speed",
    "many_classes",
    "solvers_vs_peers",
    "label_entropy",
    "theorems",
]


def main():
    """Run every script; the exit code is 1 if any of them failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a first look")
    parser.add_argument("--save", help="write the figures of every script into this folder")
    options = parser.parse_args()
    if options.save:
        Path(options.save).mkdir(parents=True, exist_ok=True)
    failed = []
    for name in SCRIPTS:
        print(f"\n== {name}\n", flush=True)
        command = [sys.executable, str(HERE / f"{name}.py")]
        command += ["--quick"] if options.quick else []
        command += ["--save", str(Path(options.save) / f"{name}.json")] if options.save else []
        if subprocess.run(command, check=False).returncode != 0:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
