"""rdcsolve against its peers on problems with known optima: time, proven gap, memory, ratios, all from one run.

    python benchmarks/solvers_vs_peers.py [--quick] [--problems P1a_100 P3] [--save FILE.json]

Every figure comes from a fresh process with one thread of linear algebra, after compilation. A peer's answer is
turned into a proof by rdcsolve's certificate: as it stands, and again with rdcsolve's repair of the dual, which is
not charged to the peer. Then rdcsolve is asked for these same gaps. "slower" is the peer's CPU time over that of
rdcsolve to the same proven gap, without and with the repair.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from itertools import product
from typing import Any

from measure import ONE_THREAD

os.environ.update(ONE_THREAD)

import numpy as np  # noqa: E402
from markdown_table import seconds  # noqa: E402
from measure import median_of, peak_megabytes, save  # noqa: E402
from peers import PEERS, evaluate  # noqa: E402

import rdcsolve as rdc  # noqa: E402
from rdcsolve.testing import known_problems  # noqa: E402

ALL = ["P1a_100", "P1a_500", "P1a_2000", "P1b_100", "P1b_500", "P1b_2000", "P2", "P3", "P3b", "P5"]
QUICK = ["P1a_100", "P1a_500", "P2", "P3"]
TOLERANCE = {"P5": 1e-8}  # nats; 1e-9 elsewhere
CERTIFIED = 1e-6  # the gap that hand-written Blahut-Arimoto is given time for
LARGEST_CONIC = 1999  # symbols; beyond, CVXPY with Clarabel takes minutes and gigabytes
LARGEST_CONIC_QUICK = 500
LABELS = {"numpy": "NumPy BA", "dit": "dit BA", "clarabel": "CVXPY+Clarabel"}


# ------------------------------------------------------------------------------------------------ in a child


def time_ours(name: str, tolerances: list[float], repetitions: int) -> dict[str, Any]:
    """Return clocks, gap and memory of rdcsolve at each tolerance, the first of which is the benchmark's own."""
    for small in (rdc.sources.gaussian(n_x=50), rdc.sources.gaussian(n_x=200), rdc.sources.laplace(n_x=120)):
        rdc.solve(rdc.Problem(small).at_multipliers(distortion=5.0))  # compiles
    problem = known_problems()[name].problem
    before = peak_megabytes()
    runs = []
    for tolerance in tolerances:
        rdc.solve(problem, tolerance=tolerance)
        timed = median_of(lambda tolerance=tolerance: rdc.solve(problem, tolerance=tolerance), repetitions)
        result = timed.value
        verification = result.certificate.verify(problem)
        runs.append(
            {
                "tolerance": tolerance,
                "cpu": timed.cpu,
                "wall": timed.wall,
                "status": result.status.name,
                "gap": verification.gap if verification.valid else math.inf,
                "lower": verification.lower,
                "upper": verification.upper,
                "steps": result.steps,
                "method": result.method,
                "megabytes": peak_megabytes() - before,
            }
        )
    return {"runs": runs}


def time_peer(peer: str, name: str, budget: float) -> dict[str, Any]:
    """Return clocks, both proven gaps and memory of a peer."""
    solver = PEERS[peer]
    problem = known_problems()[name].problem
    if peer != "numpy":
        solver(known_problems()["P2"].problem, budget)  # imports what it needs
    before = peak_megabytes()
    timed = median_of(lambda: solver(problem, budget), 3)
    peak = peak_megabytes() - before
    answer = timed.value
    found = {"cpu": timed.cpu, "wall": timed.wall, "steps": answer.steps, "megabytes": peak}
    found |= evaluate(problem, answer)
    if answer.history:
        found["gap"] = min(found["gap"], answer.history[-1][1])
        found["seconds_to_certified"], found["extrapolated"] = time_to(answer.history, CERTIFIED)
    return found


def time_to(history: list[tuple[float, float]], gap: float) -> tuple[float, bool]:
    """Return the CPU seconds to a gap; if it was not met, extrapolated by the method's law, gap like 1 / steps."""
    seconds, gaps = np.array(history).T
    if gaps[-1] <= gap:
        return float(seconds[np.argmax(gaps <= gap)]), False
    return float(seconds[-1] * gaps[-1] / gap), True


# ------------------------------------------------------------------------------------------------ in the parent


def in_child(arguments: dict[str, Any], timeout: float) -> dict[str, Any]:
    """Run one measurement in a fresh process; an unhappy end is an entry "failure"."""
    command = [sys.executable, __file__, "--child", json.dumps(arguments)]
    try:
        finished = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return {"failure": f"none in {timeout:.0f} s"}
    if finished.returncode != 0:
        last = (finished.stderr.strip().splitlines() or ["no message"])[-1]
        return {"failure": last[:60]}
    return json.loads(finished.stdout.splitlines()[-1])


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return all figures of a problem: the peers first, then rdcsolve at its tolerance and at the peers' gaps."""
    known = known_problems()[name]
    row: dict[str, Any] = {"problem": name, "description": known.description, "peers": {}}
    tolerance = TOLERANCE.get(name, 1e-9)
    for peer in PEERS:
        largest = LARGEST_CONIC_QUICK if options.quick else LARGEST_CONIC
        if peer == "clarabel" and known.problem.n_x > largest:
            found = {"failure": f"not run on more than {largest} symbols: minutes and gigabytes"}
        else:
            found = in_child({"peer": peer, "name": name, "budget": options.budget}, options.timeout)
        if "value" in found:
            found["distance"] = found["value"] - 0.5 * (known.lower + known.upper)
        row["peers"][peer] = found
    proved = [peer for peer, found in row["peers"].items() if "repaired_gap" in found]
    kinds = ("gap", "repaired_gap")
    gaps = [max(row["peers"][peer][kind], tolerance) for peer in proved for kind in kinds]
    ours = in_child(
        {"name": name, "tolerances": [tolerance, *gaps], "repetitions": options.repetitions},
        4 * options.timeout,
    )
    row["ours"] = ours["runs"][0] if "runs" in ours else ours
    for (peer, kind), run in zip(product(proved, kinds), ours.get("runs", [])[1:], strict=False):
        row["peers"][peer][f"ours_at_{kind}"] = run
    return row


HEADER = (
    f"  {'':15} {'CPU':>10} {'wall':>10} {'proven gap':>11} {'repaired':>9} {'distance':>9} {'steps':>7} {'MB':>5}"
    f"  {'slower':>7} {'repaired':>9}"
)


def report(row: dict[str, Any]) -> None:
    """Print the figures of a problem."""
    ours = row["ours"]
    print(f"\n{row['problem']}: {row['description']}\n{HEADER}")
    if "failure" in ours:
        print(f"  rdcsolve failed: {ours['failure']}")
        return
    print(
        f"  {'rdcsolve':15} {seconds(ours['cpu'])} {seconds(ours['wall'])} {ours['gap']:11.1e} {'':9} {'':9} "
        f"{ours['steps']:7d} {ours['megabytes']:5.0f}  {ours['method']}, {ours['status']}"
    )
    for peer, found in row["peers"].items():
        if "failure" in found:
            print(f"  {LABELS[peer]:15} {found['failure']}")
            continue
        times = [
            f"{found['cpu'] / found[kind]['cpu']:.3g} x" if kind in found else "-"
            for kind in ("ours_at_gap", "ours_at_repaired_gap")
        ]
        print(
            f"  {LABELS[peer]:15} {seconds(found['cpu'])} {seconds(found['wall'])} {found['gap']:11.1e} "
            f"{found['repaired_gap']:9.1e} {max(found['distance'], 0):9.0e} "
            f"{found['steps']:7d} {found['megabytes']:5.0f}  {times[0]:>7} {times[1]:>9}"
        )
        if "seconds_to_certified" in found:
            about = "extrapolated" if found["extrapolated"] else "measured"
            needed = found["seconds_to_certified"]
            print(
                f"  {'':15} {seconds(needed)} CPU to a certified {CERTIFIED:.0e} ({about}): "
                f"{needed / ours['cpu']:.3g} x rdcsolve to {ours['gap']:.0e}"
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer problems and shorter budgets: about 2 minutes")
    parser.add_argument("--problems", nargs="+", choices=ALL)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--budget", type=float, default=5.0, help="CPU seconds for NumPy Blahut-Arimoto")
    parser.add_argument("--timeout", type=float, default=200.0, help="wall seconds for each peer")
    parser.add_argument("--save", help="write the figures to this JSON file")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        arguments = json.loads(options.child)
        print(json.dumps((time_peer if "peer" in arguments else time_ours)(**arguments)))
        return
    if options.quick:
        options.budget, options.timeout = min(options.budget, 2.0), min(options.timeout, 15.0)
    print("one thread each; times are medians, memory is the growth of the peak; gap and distance in nats")
    rows = []
    for name in options.problems or (QUICK if options.quick else ALL):
        rows.append(measure(name, options))
        report(rows[-1])
        sys.stdout.flush()
    save(rows, options.save)


if __name__ == "__main__":
    main()
