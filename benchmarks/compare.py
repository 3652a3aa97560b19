"""The bounds of this version against those of version 0.1, which are stored, and the CPU time that they take.

python benchmarks/compare.py [--quick] [--only label free fixed universal known] [--measure-old PYTHONPATH]

The problems: all of `known_problems()`, 200 with label entropies, 50 with free letters, 50 with fixed ones and 50
universal rates, see `compare_problems.py`. Each gets one verdict, the first of these that holds for its bounds (for a
universal rate, those on the rate or on the penalty). The tolerance is the one that the problem is solved to, times the
loss where a loss beyond one is minimised; besides, 1e-9 of 1 + the bound is allowed for rounding.

contradiction
    A proved lower bound is above a proved upper bound of the other version. A proof of CERTIFIED proves the lower
    bound, and any but NONE the upper one (of a penalty, CERTIFIED both). What the version's own check of certificates
    refuses is not proved.
worse
    The lower bound is below, or the upper bound above, the stored one by more than the stored gap plus the tolerance,
    or there is an exception where there was none.
    A lower bound is not measured by one of a weaker proof, nor any bound by a claim that the check refused.
looser
    The same by more than the tolerance alone. Where a stored gap is large, as it may be with fixed letters, much can be
    lost within it: these are for a person to judge.
better
    The gap has shrunk by more than the tolerance and more than 10 %, or the status or the proof is stronger and neither
    is weaker, or the check no longer refuses.
equal
    All others.

Weaker statuses and proofs are listed, with what the check made of the stored claim: a weaker proof is excused only
where the old claim was wrong, which a person must judge. The exit code is 1 if there are contradictions or worse
bounds, or if a problem has no stored values or is not drawn as it was.

CPU seconds mean something only against those of the same machine at the same time: --measure-old runs another version,
such as a checkout of version 0.1, in a process of its own with that PYTHONPATH, problem by problem in turns with this
one.

With the arithmetic of another processor the search for fixed letters may end elsewhere, and a gap may stop shrinking at
another size. So there may be several stored values of a problem, and with --measure-old what that version finds here is
one more: the best verdict counts, unless one is a contradiction. --extend, to be run with version 0.1 alone, adds
values where they come out weaker than the stored ones, as some do with OPENBLAS_CORETYPE=Nehalem or Haswell.
"""

import os

from measure import ONE_THREAD

os.environ.update(ONE_THREAD)

import argparse  # noqa: E402
import collections  # noqa: E402
import contextlib  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import NamedTuple  # noqa: E402

import numpy as np  # noqa: E402
from compare_problems import COUNTS, DRAW, state  # noqa: E402
from measure import machine  # noqa: E402

import rdcsolve as rdc  # noqa: E402
from rdcsolve.testing import known_problems  # noqa: E402

STORED = Path(__file__).parent / "data" / "version_0_1.json"
FAMILIES = ["known", *COUNTS]
EVERY = 10  # of the problems with --quick
MOST_CPU = 1.05  # of before

PROOFS = {"CERTIFIED": 2, "UNVERIFIED": 1, "NONE": 0}
STATUSES = {"OPTIMAL": 4, "INFEASIBLE": 4, "ALMOST_OPTIMAL": 3, "STATIONARY": 2}
STATUSES |= dict.fromkeys(["STALLED", "STEP_LIMIT", "TIME_LIMIT"], 1)  # all others, and exceptions, are 0
VERDICTS = ["equal", "better", "looser", "worse", "contradiction"]
ROUNDING = 1e-9


# ------------------------------------------------------------------------------------- running


class Case(NamedTuple):
    """One problem to run: of a known name, or the number that it is drawn from."""

    family: str
    key: str | int

    @property
    def name(self):
        """What its values are stored under."""
        return f"{self.family} {self.key}"

    def make(self):
        """Return the library's problem, the options of its solution, and a number to tell another problem by."""
        if self.family == "known":
            known = known_problems()[self.key]
            p = known.problem.p_x
            return known.problem, {"tolerance": 1e-9}, float(p @ np.arange(p.size)) + known.multiplier
        drawn = DRAW[self.family](self.key)
        universal = {"targets": drawn.targets, "method": drawn.method} if drawn.targets else {}
        return state(drawn), {"tolerance": drawn.tolerance, **universal}, drawn.digest


def cases(families, every=1):
    """Return the problems of some families, all or every so many of each."""
    keys = {"known": list(known_problems())} | {family: range(count) for family, count in COUNTS.items()}
    return [Case(family, key) for family in FAMILIES if family in families for key in keys[family][::every]]


def run(case):
    """Return the bounds of one problem and the CPU seconds that they took, or by what exception it failed."""
    problem, options, digest = case.make()
    row = {"name": case.name, "family": case.family, "digest": digest, "tolerance": options["tolerance"]}
    began = time.process_time()
    try:
        result = solved(problem, options)
    except Exception as error:  # one that fails must not hide the others
        print(f"  {case.name}: {error!r}", file=sys.stderr)
        row |= {"status": f"raised {type(error).__name__}", "proof": "NONE", "penalty_proof": "NONE", "check": "none"}
        return row | {"cpu": round(time.process_time() - began, 6)}
    row["cpu"] = round(time.process_time() - began, 6)
    row |= {"status": result.status.name, "proof": result.proof.name, "check": checked(result, problem)}
    for kind in kinds_of(row):
        row |= {f"{kind}_{end}": float(getattr(result, f"{kind}_{end}")) for end in ("lower", "upper")}
    has_targets = "targets" in options
    return row | ({"penalty_proof": result.penalty_proof.name} if has_targets else {"minimised": result.objective})


def solved(problem, options):
    """Return the library's result."""
    return rdc.universal_rate(problem, **options) if "targets" in options else rdc.solve(problem, **options)


def checked(result, problem):
    """Return what the check of certificates says of a result: valid, refused, or none where nothing is claimed."""
    try:
        if hasattr(result, "targets"):
            return "valid" if result.verify(problem).valid else "refused"
        if result.certificate is None:
            return "none"
        return "valid" if result.certificate.verify(problem).valid else "refused"
    except rdc.InvalidInput:  # nothing to verify
        return "none"


def warm_up(families):
    """Compile, and load what is loaded on first use, outside of any clock: one problem of each question will do."""
    for family in families:
        for key in ("P2", "P1a_100", "P1a_2000") if family == "known" else range(1000, 1007):
            problem, options, _ = Case(family, key).make()
            with contextlib.suppress(rdc.RdcError):
                solved(problem, options | {"tolerance": 1e-4})


def run_all(these, families, other):
    """Return the rows of this version and, in turns with it, those of another one, if there is one."""
    warm_up(families)
    rows, others = [], []
    for place, case in enumerate(these):
        if other and place % 2:
            others.append(other.run(case))
        rows.append(run(case))
        if other and place % 2 == 0:
            others.append(other.run(case))
        told = rows[-1]
        print(f"  {case.name}: {told['status']}, {told['proof']}, {told['cpu']:.2f} s", file=sys.stderr, flush=True)
    return rows, others


class Other:
    """Another version of the library, in a process that runs this script with --serve.

    Parameters
    ----------
    path : str
        PYTHONPATH of the process.
    families : list of str
        What it warms up for.
    """

    def __init__(self, path, families):
        command = [sys.executable, str(Path(__file__).resolve()), "--serve", "--only", *families]
        environment = os.environ | {"PYTHONPATH": path}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
        package = Path(self._read()["package"]).resolve()
        if not any(package.is_relative_to(Path(one).resolve()) for one in path.split(os.pathsep) if one):
            sys.exit(f"the PYTHONPATH {path} holds no rdcsolve: what is imported is {package}")

    def run(self, case):
        """Return what `run` returns there."""
        self.process.stdin.write(json.dumps(case) + "\n")
        self.process.stdin.flush()
        return self._read()

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("the process of the old version has ended")
        return json.loads(line)


def serve(families):
    """Run the problems that are read, one a line, and print their rows."""
    warm_up(families)
    print(json.dumps({"package": rdc.__file__}), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(Case(*json.loads(line)))), flush=True)


# ------------------------------------------------------------------------------------- stored values


def store(rows, path, head=None):
    """Write rows, one a line; numbers that are not finite become text, as JSON has none."""
    lines = [json.dumps({key: written(value) for key, value in row.items()}, allow_nan=False) for row in rows]
    head = json.dumps(head or {"rdcsolve": rdc.__version__, **machine()})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{"machine": {head}, "rows": [\n' + ",\n".join(lines) + "\n]}\n", encoding="utf-8")


def written(value):
    """Return a value that JSON can hold."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def stored(path):
    """Return the stored rows of every problem by its name; the first is of the machine that timed them."""
    found = {}
    for row in json.loads(path.read_text(encoding="utf-8"))["rows"]:
        found.setdefault(row["name"], []).append(row)
    return found


def extend(rows, path):
    """Add rows to the stored ones, where they are weaker than all of these; return the names."""
    before = stored(path)
    judged = [judge_among(row, before[row["name"]]) for row in rows]
    added = [one.row for one in judged if one.weaker or one.verdict not in ("equal", "better")]
    head = json.loads(path.read_text(encoding="utf-8"))["machine"]
    store([*(row for found in before.values() for row in found), *added], path, head)
    return [row["name"] for row in added]


# ------------------------------------------------------------------------------------- comparing


class Bounds(NamedTuple):
    """Two bounds, infinite where they are not known, the same as far as they are proved, and what proves them."""

    lower: float
    upper: float
    proved_lower: float
    proved_upper: float
    proof: int
    refused: bool = False

    @property
    def gap(self):
        """Upper minus lower bound."""
        return apart(self.upper, self.lower)


def apart(high, low):
    """Return a difference, zero for equal infinities."""
    return 0.0 if high == low else high - low


def bounds_of(row, kind):
    """Return the bounds of a row on its objective, rate or penalty."""
    lower, upper = (float(row.get(f"{kind}_{end}", math.nan)) for end in ("lower", "upper"))
    if row["status"] == "INFEASIBLE":
        lower = upper = math.inf
    lower, upper = -math.inf if math.isnan(lower) else lower, math.inf if math.isnan(upper) else upper
    proof = PROOFS.get(row["penalty_proof" if kind == "penalty" else "proof"], 0)
    if row["check"] == "refused":
        return Bounds(lower, upper, -math.inf, math.inf, proof, refused=True)
    needed = PROOFS["CERTIFIED" if kind == "penalty" else "UNVERIFIED"]
    is_proved = proof == PROOFS["CERTIFIED"], proof >= needed
    return Bounds(lower, upper, lower if is_proved[0] else -math.inf, upper if is_proved[1] else math.inf, proof)


def verdict(new, old, tolerance):
    """Return which of the verdicts holds for two pairs of bounds; that the proof is stronger is left aside."""
    rounding = ROUNDING * (1 + size_of(old))
    if max(apart(new.proved_lower, old.proved_upper), apart(old.proved_lower, new.proved_upper)) > rounding:
        return "contradiction"
    if old.refused and not new.refused:
        return "better"
    fallen = apart(old.lower, new.lower) if new.proof <= old.proof else 0.0
    lost = max(fallen, apart(new.upper, old.upper)) - rounding
    if lost > old.gap + tolerance:
        return "worse"
    if lost > tolerance:
        return "looser"
    return "better" if apart(old.gap, new.gap) > max(tolerance, 0.1 * old.gap) else "equal"


def size_of(bounds):
    """Return the larger of two bounds in absolute value, of those that are finite."""
    return max((abs(value) for value in (bounds.lower, bounds.upper) if math.isfinite(value)), default=0.0)


class Judged(NamedTuple):
    """The values of a problem, the stored ones, the verdict, and whether its status or a proof is weaker."""

    row: dict
    old: dict
    verdict: str
    weaker: bool


def judge(row, old):
    """Compare two rows."""
    pairs = [(bounds_of(row, kind), bounds_of(old, kind)) for kind in kinds_of(old)]
    is_loss = old.get("minimised", "rate") not in ("rate", "lagrangian")
    tolerance = old["tolerance"] * (max(1.0, size_of(pairs[0][1])) if is_loss else 1.0)
    said = max((verdict(*pair, tolerance) for pair in pairs), key=VERDICTS.index)
    steps = [STATUSES.get(row["status"], 0) - STATUSES.get(old["status"], 0)]
    steps += [new.proof - before.proof for new, before in pairs]
    if said == "equal" and min(steps) >= 0 < max(steps):
        said = "better"
    if has_raised(row) and not has_raised(old):
        said = "worse"
    return Judged(row, old, said, min(steps) < 0)


def judge_among(row, found):
    """Compare a row with several of an old version: a contradiction counts, else the best verdict."""
    judged = [judge(row, old) for old in found]
    ranks = [(VERDICTS.index(one.verdict), one.weaker) for one in judged]
    worst = judged[ranks.index(max(ranks))]
    return worst if worst.verdict == "contradiction" else judged[ranks.index(min(ranks))]


def kinds_of(row):
    """Return what a row has bounds on."""
    return ["rate", "penalty"] if row["family"] == "universal" else ["objective"]


def has_raised(row):
    """Whether a row is of an exception."""
    return row["status"].startswith("raised")


def is_same(row, old):
    """Whether a row is of the problem that the stored one is of."""
    return math.isclose(row["digest"], old["digest"], rel_tol=1e-9, abs_tol=1e-9)


# ------------------------------------------------------------------------------------- printing


def report(rows, before, others):
    """Print the comparison; return whether all is at least equal within the gaps."""
    lost = [row["name"] for row in rows if row["name"] not in before or not is_same(row, before[row["name"]][0])]
    again = {row["name"]: row for row in others if row["name"] not in lost}
    rows = [row for row in rows if row["name"] not in lost]
    judged = [judge_among(row, [*before[row["name"]], *filter(None, [again.get(row["name"])])]) for row in rows]
    timed = {name: again.get(name, found[0])["cpu"] for name, found in before.items()}
    show_table(judged, timed)
    for said in reversed(VERDICTS[1:]):
        show_list(said, [one for one in judged if one.verdict == said])
    show_list("weaker status or proof", [one for one in judged if one.weaker])
    show_list("no result", [one for one in judged if has_raised(one.row)])
    show_list("refused by a check", [one for one in judged if "refused" in (one.row["check"], one.old["check"])])
    if lost:
        print(f"without stored values, or not drawn as it was: {', '.join(lost)}")
    if others:
        repeated = [judge_among(row, before[name]) for name, row in again.items()]
        differ = [one.row["name"] for one in repeated if one.verdict != "equal" or one.weaker]
        print(f"the old version, run here, differs from its stored values in: {', '.join(differ) or 'none'}")
        ratio = sum(one.row["cpu"] for one in judged) / sum(timed[one.row["name"]] for one in judged)
        print(f"CPU time {ratio:.3f} of before; at most {MOST_CPU} is asked for")
    else:
        print("CPU before is as stored, maybe of another machine; --measure-old times the old version in this run")
    return not lost and not any(one.verdict in ("worse", "contradiction") for one in judged)


def show_table(judged, timed):
    """Print the table by family, given the CPU seconds of before by name."""
    print("| family | problems | " + " | ".join(VERDICTS) + " | weaker | CPU before | CPU now | ratio |")
    print("|" + "---|" * (len(VERDICTS) + 6))
    for family in [*FAMILIES, "total"]:
        mine = [one for one in judged if family in (one.row["family"], "total")]
        if mine:
            said = collections.Counter(one.verdict for one in mine)
            counts = [len(mine), *(said[one] for one in VERDICTS), sum(one.weaker for one in mine)]
            now, was = sum(one.row["cpu"] for one in mine), sum(timed[one.row["name"]] for one in mine)
            cells = [family, *map(str, counts), f"{was:.2f} s", f"{now:.2f} s", f"{now / was:.3f}"]
            print("| " + " | ".join(cells) + " |")
    print()


def show_list(title, judged):
    """Print some problems with their values before and now."""
    if judged:
        print(f"{title}:\n")
        for one in judged:
            print(f"{one.row['name']}\n  before: {described(one.old)}\n  now:    {described(one.row)}")
        print()


def described(row):
    """Return status, proof, bounds and check of a row in one line."""
    parts = [f"{row['status']}, {row['proof']}"]
    for kind in kinds_of(row):
        lower, upper = (float(row.get(f"{kind}_{end}", math.nan)) for end in ("lower", "upper"))
        proof = f", {row['penalty_proof']}" if kind == "penalty" else ""
        parts.append(f"{kind} [{lower:.10g}, {upper:.10g}], gap {upper - lower:.1e}{proof}")
    return "; ".join([*parts, f"check: {row['check']}"])


def main():
    """Run the problems; store their values or compare them with the stored ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"every {EVERY}th problem")
    parser.add_argument("--only", nargs="+", default=FAMILIES, choices=FAMILIES, help="only these families")
    parser.add_argument("--against", type=Path, default=STORED, metavar="FILE", help="the stored values")
    parser.add_argument("--store", type=Path, metavar="FILE", help="write a new file of values and compare nothing")
    parser.add_argument("--extend", action="store_true", help="add weaker values of the same version")
    parser.add_argument("--measure-old", metavar="PYTHONPATH", help="time the version found there in the same run")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.only)
        return
    print(f"rdcsolve {rdc.__version__} in {Path(rdc.__file__).parent}\n")
    other = Other(options.measure_old, options.only) if options.measure_old else None
    rows, others = run_all(cases(options.only, EVERY if options.quick else 1), options.only, other)
    if other:
        other.close()
    if options.store:
        store(rows, options.store)
        print(f"written to {options.store}")
    elif options.extend:
        print(f"added: {', '.join(extend(rows, options.against)) or 'none'}")
    elif not report(rows, stored(options.against), others):
        sys.exit(1)


if __name__ == "__main__":
    main()
