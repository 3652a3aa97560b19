"""Limits on the law of the reproduction in the campaign: random problems with a channel that meets them, and a judge.

The judge evaluates everything anew in plain floats, transport by HiGHS; the checker in one file has the last digits.
"""

from __future__ import annotations

import math
import tempfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from campaign_bounds import checker
from campaign_judge import Findings, judge_own_check, judge_storage
from scipy.optimize import linprog
from scipy.special import rel_entr

import rdcsolve as rdc
from rdcsolve.cli.files import write_problem

MEASURES = ("transport", "tv", "kl", "reverse_kl", "chi2", "reverse_chi2", "hellinger", "js", "exact")
ALL_MEASURES = (*MEASURES, "mmd")
WITH_LABELS = ("transport", "tv", "exact")
_SLACK = 1e-9  # of what HiGHS and plain sums round by


@dataclass(frozen=True)
class OneLaw:
    """A limit on the law of what is shown: of all symbols, or of every class of the problem's `classes`."""

    measure: str
    target: np.ndarray
    cost: np.ndarray | None = None
    kernel: np.ndarray | None = None
    name: str = "perception"
    of_classes: bool = False

    @property
    def scale(self) -> float:
        """The largest cost, or value of the kernel, else one."""
        table = self.cost if self.kernel is None else self.kernel
        return 1.0 if table is None else float(np.abs(table).max())

    def code(self) -> str:
        """Return it as a line of a script."""
        bound = "0.0" if self.measure == "exact" else "math.inf"
        tables = {key: getattr(self, key) for key in ("cost", "kernel") if getattr(self, key) is not None}
        more = "".join(f", {key}=np.array({table.tolist()!r})" for key, table in tables.items())
        more += ", given=len(labels)" if self.of_classes else f", target=np.array({self.target.tolist()!r})"
        return f"rdc.PerceptionLimit({bound}, {self.measure!r}, name={self.name!r}{more})"


@dataclass(frozen=True)
class StatedLaw:
    """A problem in plain numbers, and a channel into its letters that meets its limits."""

    seed: int
    p: np.ndarray
    d: np.ndarray
    laws: tuple[OneLaw, ...]
    labels: tuple[np.ndarray, ...]
    bounds: dict[str, float]
    witness: np.ndarray
    shown: np.ndarray  # what each letter of the witness shows
    minimise: str = "rate"
    rate: float | None = None
    classes: np.ndarray | None = None
    family: str = "perception"

    @property
    def objective(self) -> str:
        """What is minimised."""
        return self.minimise

    @property
    def measure(self) -> str:
        """The first law's measure."""
        return self.laws[0].measure

    @property
    def each_law(self) -> dict[str, tuple[OneLaw, np.ndarray, np.ndarray]]:
        """By name of the limit: the law, its target, and how much every symbol counts, (n,)."""
        found = {}
        for law in self.laws:
            if not law.of_classes:
                found[law.name] = law, law.target / law.target.sum(), np.ones(self.p.size)
                continue
            for s, members in enumerate(self.classes.T):
                joint = self.p * members
                if joint.sum() > 0:
                    found[f"{law.name}_{s}"] = law, joint / joint.sum(), members
        return found

    def problem(self) -> rdc.Problem:
        """Return the problem as the library knows it."""
        limits = [rdc.LabelEntropyLimit(math.inf, k) for k in range(len(self.labels))]
        for law in self.laws:
            own = {"given": len(self.labels)} if law.of_classes else {"target": law.target}
            bound = 0.0 if law.measure == "exact" else math.inf
            limits.append(
                rdc.PerceptionLimit(bound, law.measure, cost=law.cost, kernel=law.kernel, name=law.name, **own)
            )
        source = rdc.Source(None, self.p, labels=[*self.labels, *([] if self.classes is None else [self.classes])])
        problem = rdc.Problem(source, distortion=self.d, limits=limits).with_limits(**self.bounds)
        return problem if self.minimise == "rate" else problem.minimising(self.minimise, rate=self.rate)

    def attained(self, channel: np.ndarray, shown: np.ndarray) -> dict[str, float]:
        """Return rate and means of a channel (n, k) into letters that show these symbols (k,)."""
        joint = channel / channel.sum(axis=1, keepdims=True) * self.p[:, None] / self.p.sum()
        q = joint.sum(axis=0)
        used = joint > 0
        found = {
            "rate": float(rel_entr(joint, np.outer(joint.sum(axis=1), q)).sum()),
            "distortion": float((joint[used] * self.d[:, shown][used]).sum()),
        }
        for name, (law, target, members) in self.each_law.items():
            masses = members @ joint
            of_places = np.bincount(shown, masses / masses.sum(), minlength=self.d.shape[1])
            found[name] = distance(law.measure, target, of_places, law.cost, law.kernel)
        for label in self.labels:
            both = joint.T @ (label / label.sum(axis=1, keepdims=True))
            found["label_entropy"] = -float(rel_entr(both, np.repeat(q[:, None], both.shape[1], axis=1)).sum())
        return found

    def script(self) -> str:
        """Return the problem as a script of its own."""
        lines = ["import math", "import numpy as np", "import rdcsolve as rdc", ""]
        lines += [f"{name} = np.array({getattr(self, name).tolist()!r})" for name in ("p", "d")]
        lines.append(f"labels = [{', '.join(f'np.array({label.tolist()!r})' for label in self.labels)}]")
        lines.append(f"classes = {'[]' if self.classes is None else f'[np.array({self.classes.tolist()!r})]'}")
        lines += [
            "limits = [rdc.LabelEntropyLimit(math.inf, k) for k in range(len(labels))]",
            *(f"limits.append({law.code()})" for law in self.laws),
            "problem = rdc.Problem(rdc.Source(None, p, labels=labels + classes), distortion=d, limits=limits)",
            f"problem = problem.with_limits(**{self.bounds!r})",
        ]
        if self.minimise != "rate":
            lines.append(f"problem = problem.minimising({self.minimise!r}, rate={self.rate!r})")
        return "\n".join([*lines, "result = rdc.solve(problem)", "print(result)", "print(result.verify(problem))", ""])


def distance(
    measure: str, t: np.ndarray, q: np.ndarray, cost: np.ndarray | None, kernel: np.ndarray | None = None
) -> float:
    """Return how far a law is from a target."""
    if kernel is not None:
        return float((q - t) @ kernel @ (q - t))
    if cost is not None:
        n, m = cost.shape
        sums = np.zeros((n + m, n * m))
        for i in range(n):
            sums[i, i * m : (i + 1) * m] = 1
        for j in range(m):
            sums[n + j, j::m] = 1
        options = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
        sides = np.r_[t, q / q.sum()]
        answer = linprog(cost.ravel(), A_eq=sums[:-1], b_eq=sides[:-1], method="highs", options=options)
        return float(answer.fun) if answer.status == 0 else math.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (t + q) / 2
        by_name = {
            "tv": lambda: 0.5 * np.abs(t - q).sum(),
            "exact": lambda: 0.5 * np.abs(t - q).sum(),
            "kl": lambda: rel_entr(q, t).sum(),
            "reverse_kl": lambda: rel_entr(t, q).sum(),
            "chi2": lambda: np.where(q != t, (q - t) ** 2 / t, 0.0).sum(),
            "reverse_chi2": lambda: np.where(q != t, (q - t) ** 2 / q, 0.0).sum(),
            "hellinger": lambda: 0.5 * ((np.sqrt(t) - np.sqrt(q)) ** 2).sum(),
            "js": lambda: 0.5 * (rel_entr(q, middle) + rel_entr(t, middle)).sum(),
        }
        return float(by_name[measure]())


def law_problem_of(seed: int) -> StatedLaw:
    """Return the problem of a seed, the same one whenever and wherever it is called."""
    return _problem(np.random.default_rng([zlib.crc32(b"perception"), seed]), seed)


def _problem(rng, seed: int) -> StatedLaw:
    """Return a problem whose limits are about what a channel at random attains: within, at its values, or tighter."""
    n = int(rng.integers(2, 8))
    measure = str(rng.choice(MEASURES))
    m = int(rng.integers(2, 8)) if measure == "transport" else n
    p = rng.dirichlet(np.full(n, float(rng.choice([0.3, 1.0, 5.0])))) + 1e-9
    p /= p.sum()
    d = rng.random((n, m)) if rng.random() < 0.5 else np.subtract.outer(rng.normal(size=n), rng.normal(size=m)) ** 2
    if n == m and rng.random() < 0.6:
        d[np.diag_indices(n)] = 0.0
    scale = 10.0 ** rng.uniform(-4, 4) if rng.random() < 0.3 else 1.0
    cost = None
    if measure == "transport":
        cost = scale * (d.copy() if rng.random() < 0.5 else rng.random((n, m)))
    target = rng.dirichlet(np.ones(n)) + 1e-9 if rng.random() < 0.2 and measure != "exact" else p
    labels: tuple[np.ndarray, ...] = ()
    if measure in WITH_LABELS and rng.random() < 0.4:
        labels = (rng.dirichlet(np.full(int(rng.integers(2, 4)), 0.6), n),)
    witness, shown = rng.dirichlet(np.full(m, 0.5), n), np.arange(m)
    if measure == "exact":  # what is drawn from the posterior has the law of the source
        z = rng.dirichlet(np.full(3, 0.5), n)
        back = (z * p[:, None] / (p @ z)).T
        witness, shown = (z[:, :, None] * back).reshape(n, -1), np.tile(np.arange(n), 3)
    law = OneLaw(measure, target / target.sum(), cost)
    stated = StatedLaw(seed, p, d, (law,), labels, {}, witness, shown)
    return _limited(rng, stated, float(rng.choice([1.0, 1.0, 1.3, 0.5])))


def _limited(rng, stated: StatedLaw, room: float) -> StatedLaw:
    """Return the problem with limits about what its witness attains, and something to minimise."""
    own = stated.attained(stated.witness, stated.shown)
    of_laws = [name for name, (law, *_) in stated.each_law.items() if law.measure != "exact"]
    names = ["distortion", *(["label_entropy"] if stated.labels else []), *of_laws]
    bounds = {name: own[name] * (room if rng.random() < 0.7 else 1.0) * (1 + 1e-9) + 1e-12 for name in names}
    minimise, rate = "rate", None
    if rng.random() < 0.25:
        minimise = str(rng.choice([name for name in names if name != "label_entropy"]))
        rate = own["rate"] * (1 + 1e-9)
        del bounds[minimise]
    bounds = {name: bound for name, bound in bounds.items() if math.isfinite(bound)}
    return replace(stated, bounds=bounds, minimise=minimise, rate=rate)


def several_laws_of(seed: int) -> StatedLaw:
    """Return the problem of a seed with one to three limits on laws, discrepancies and the laws of classes among them.

    Symbols are reproductions. Distances are those that are finite for the witness, so that it meets all limits.
    """
    rng = np.random.default_rng([zlib.crc32(b"laws"), seed])
    n = int(rng.integers(2, 7))
    p = rng.dirichlet(np.full(n, float(rng.choice([0.5, 1.0, 5.0])))) + 1e-9
    p /= p.sum()
    x = rng.normal(size=n)
    d = np.subtract.outer(x, x) ** 2 if rng.random() < 0.7 else rng.random((n, n))
    count = int(rng.integers(2, 4))
    is_hard = rng.random() < 0.25
    classes = np.eye(count)[rng.integers(0, count, n)] if is_hard else rng.dirichlet(np.full(count, 0.7), n)
    laws = []
    for k in range(int(rng.choice([1, 2, 2, 3]))):
        measure = str(rng.choice([one for one in ALL_MEASURES if one != "exact"]))
        of_classes = rng.random() < 0.5 and not (is_hard and measure in ("kl", "chi2"))
        target = p if rng.random() < 0.6 else 0.7 * p + 0.3 * rng.dirichlet(np.ones(n))
        cost = (
            (np.subtract.outer(x, x) ** 2 if rng.random() < 0.5 else rng.random((n, n)))
            if measure == "transport"
            else None
        )
        width = 10 ** rng.uniform(-0.5, 0.5)
        kernel = np.exp(-0.5 * np.subtract.outer(x, x) ** 2 / width**2) if measure == "mmd" else None
        laws.append(OneLaw(measure, target / target.sum(), cost, kernel, f"law{k}", of_classes))
    labels = (rng.dirichlet(np.full(2, 0.6), n),) if rng.random() < 0.15 else ()
    witness = 0.9 * rng.dirichlet(np.full(n, 0.5), n) + 0.1 * p  # every place is shown
    stated = StatedLaw(seed, p, d, tuple(laws), labels, {}, witness, np.arange(n), classes=classes, family="laws")
    return _limited(rng, stated, float(rng.choice([1.0, 1.0, 1.3, 0.5])))


def judge_law(stated: StatedLaw, problem: rdc.Problem, result, findings: Findings) -> None:
    """Report everything that is wrong with the result of a problem with a limit on the law of the reproduction."""
    known = stated.attained(stated.witness, stated.shown)
    limits = stated.bounds | ({} if stated.rate is None else {"rate": stated.rate})
    is_met = all(known[name] <= bound for name, bound in limits.items())
    if result.status is rdc.Status.INFEASIBLE and is_met:
        findings.error("false_infeasible", f"a known channel meets the limits: {result.message}")
    if is_met and result.objective_lower > known[stated.minimise] + _SLACK * (1 + abs(known[stated.minimise])):
        excess = result.objective_lower - known[stated.minimise]
        findings.error("lower_refuted", "a known channel does better than the bound", excess)
    if result.objective_lower > result.objective_upper:
        findings.error("order", f"{result.objective_lower!r} is above {result.objective_upper!r}")
    if result.letters.size:
        _judge_channel(stated, limits, result, findings)
    elif result.status is not rdc.Status.INFEASIBLE:
        findings.note("no_channel")
    if result.status is rdc.Status.OPTIMAL and result.gap > 1e-5 * max(1.0, abs(result.objective_upper)):
        findings.error("optimal_gap", f"OPTIMAL with a gap of {result.gap:.3g}", result.gap)
    judge_storage(result, findings)
    if result.certificate is None:
        return
    _judge_file(problem, result, findings)
    if result.letters.size:
        judge_own_check(problem, result, findings)


def _judge_channel(stated: StatedLaw, limits: dict[str, float], result, findings: Findings) -> None:
    scales = {"distortion": float(stated.d.max())} | {name: law.scale for name, (law, *_) in stated.each_law.items()}
    found = stated.attained(result.channel, result.letters)
    for name, bound in limits.items():
        if found[name] > bound + _SLACK * scales.get(name, 1.0):
            findings.error("limit", f"{name} exceeds its limit {bound!r}", found[name] - bound)
    if stated.measure == "exact" and found["perception"] > 1e-12:
        findings.error("limit", "the law is not the target", found["perception"])
    claims = {"rate": result.rate_upper, **result.losses, **result.perceptions}
    for name, value in found.items():
        if not math.isfinite(claims[name]) or value > claims[name] + _SLACK * scales.get(name, 1.0):
            findings.error("under_reported", f"{name} {claims[name]!r} is below what the channel attains, {value!r}")


def _judge_file(problem: rdc.Problem, result, findings: Findings) -> None:
    module = checker()
    if module is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        at, beside = Path(folder, "result.npz"), Path(folder, "problem.npz")
        result.save(at)
        write_problem(problem, beside)
        report = module.check(str(at), str(beside))
    findings.note("checked")
    if not report.valid:
        findings.error("checker", "; ".join(map(str, report.faults))[:400])
