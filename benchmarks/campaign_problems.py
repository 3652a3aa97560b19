"""Random problems of the campaign: `problem_of(family, seed)` gives the same one whenever and wherever it is called."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field, replace
from fractions import Fraction

import campaign_exact as exact
import numpy as np

import rdcsolve as rdc

INF = math.inf
FAMILIES = ("linear", "split", "classes", "fixed", "points", "universal", "region")


@dataclass(frozen=True)
class Stated:
    """A problem in plain numbers; what is not limited is left out of `bounds`."""

    family: str
    seed: int
    p: np.ndarray
    linear: dict[str, np.ndarray] = field(default_factory=dict)  # "distortion" first; empty where letters are free
    labels: tuple[np.ndarray, ...] = ()
    points: np.ndarray | None = None  # letters are free if given
    letters: str = "split"
    bounds: dict[str, float] = field(default_factory=dict)
    rate: float | None = None
    minimise: str = "rate"
    multipliers: dict[str, float] | None = None
    targets: tuple[dict[str, float], ...] = ()
    encoder: np.ndarray | None = None
    witness: np.ndarray | None = None  # a channel (n_x, n_letters) that meets the limits, if one is known
    mean: bool = False  # whether the distortion of points is divided by their dimension

    @property
    def free(self) -> bool:
        """Whether letters are any points."""
        return self.points is not None

    @property
    def per_dimension(self) -> int:
        """By what the squared error of points is divided."""
        return self.points.shape[1] if self.mean else 1

    @property
    def entropies(self) -> dict[str, np.ndarray]:
        """The labels by name of their entropy."""
        return {f"label_entropy_{k}" if k else "label_entropy": label for k, label in enumerate(self.labels)}

    @property
    def loss_names(self) -> tuple[str, ...]:
        """All losses, in the library's order."""
        return (*(["distortion"] if self.free else self.linear), *self.entropies)

    @property
    def pair(self) -> tuple[str, str]:
        """The two losses of a region."""
        names = self.loss_names
        return (names[0], names[1 + self.seed % (len(names) - 1)])

    @property
    def objective(self) -> str:
        """What is minimised: "rate", "lagrangian" or the name of a loss."""
        return self.minimise if self.multipliers is None else "lagrangian"

    @property
    def forbidden(self) -> np.ndarray:
        """Mask (n_x, n_letters) of the pairs that some loss forbids."""
        return np.logical_or.reduce([np.isinf(matrix) for matrix in self.linear.values()])

    def limited(self, bounds: dict[str, float]) -> Stated:
        """Return the least rate of the same source under these limits alone."""
        finite = {name: bound for name, bound in bounds.items() if bound < INF}
        return replace(self, bounds=finite, rate=None, minimise="rate", multipliers=None, targets=(), witness=None)

    def problem(self) -> rdc.Problem:
        """Return the problem as the library knows it."""
        source = rdc.Source(self.points, self.p, labels=list(self.labels))
        limits = [rdc.LossLimit(INF, matrix, name) for name, matrix in list(self.linear.items())[1:]]
        limits += [rdc.LabelEntropyLimit(INF, k) for k in range(len(self.labels))]
        if self.free:
            kind = "mean_squared_error" if self.mean else "squared_error"
            problem = rdc.Problem(source, "free", kind, limits)
        else:
            problem = rdc.Problem(source, distortion=self.linear["distortion"], limits=limits, letters=self.letters)
        if self.multipliers is not None:
            return problem.at_multipliers(**self.multipliers)
        problem = problem.with_limits(**self.bounds)
        if self.minimise != "rate":
            return problem.minimising(self.minimise, rate=self.rate)
        return problem if self.rate is None else problem.with_limits(rate=self.rate)


def problem_of(family: str, seed: int) -> Stated:
    """Return the problem of a family and a seed."""
    rng = np.random.default_rng([zlib.crc32(family.encode()), seed])
    return MAKERS[family](rng, seed)


# --------------------------------------------------------------------------------- sources


def chance(rng, share: float) -> bool:
    """Return true with this probability."""
    return bool(rng.random() < share)


def size(rng, largest: int = 12, huge: int = 60) -> int:
    """Return how many symbols: few as a rule."""
    return (
        int(rng.integers(largest + 1, huge + 1))
        if huge > largest and chance(rng, 0.04)
        else int(rng.integers(1, largest + 1))
    )


def masses(rng, n: int) -> np.ndarray:
    """Return masses that sum to one to rounding: even, uneven, over many orders, with zeros, with 1e-200."""
    kind = rng.choice(["even", "random", "uneven", "orders"], p=[0.25, 0.3, 0.25, 0.2])
    if kind == "even":
        p = np.ones(n)
    elif kind == "orders":
        p = 10.0 ** -rng.uniform(0, 30, n)
    else:
        p = rng.dirichlet(np.full(n, 1.0 if kind == "random" else 0.15)) + 1e-250
    if chance(rng, 0.2):
        p[rng.random(n) < 0.3] = 0.0
    if chance(rng, 0.12):
        p[rng.integers(n)] = 1e-200 * rng.uniform(0.5, 2)
    if not p.max() > 1e-100:
        p[rng.integers(n)] = 1.0
    return settled(p)


def settled(weights: np.ndarray) -> np.ndarray:
    """Return weights divided by their sum, often enough that nobody has to do it again."""
    for _ in range(3):
        weights = weights / math.fsum(weights)
    return weights


def label(rng, n: int, noisy: bool = True) -> np.ndarray:
    """Return p(s | x) of 1 to 20 classes: a function of the symbol, nearly one, noisy, with zeros, or blind."""
    few = chance(rng, 0.7)
    n_s = int(rng.integers(1, 5) if few else rng.integers(5, 21))
    kind = rng.choice(["certain", "nearly", "noisy", "sparse", "blind"], p=[0.25, 0.2, 0.35, 0.15, 0.05])
    certain = np.eye(n_s)[rng.integers(n_s, size=n)]
    if kind == "certain" or n_s == 1:
        return certain
    if kind == "nearly":
        w = certain + 10.0 ** -rng.uniform(6, 13)
    elif kind == "blind":
        w = np.tile(rng.dirichlet(np.ones(n_s)), (n, 1))
    else:
        w = rng.dirichlet(np.full(n_s, rng.choice([0.2, 0.6, 2.0])), size=n) + 1e-30
        if kind == "sparse":
            w = np.where((rng.random(w.shape) < 0.5) & (certain == 0), 0.0, w)
    return np.array([settled(row) for row in w])


# --------------------------------------------------------------------------------- losses


def loss(rng, n: int, m: int) -> np.ndarray:
    """Return a loss: distances of points, misses, small integers, cross-entropies, over many orders, or nothing."""
    x, y = rng.normal(size=n), rng.normal(size=m)
    kind = rng.choice(
        ["random", "square", "far", "miss", "integer", "entropy", "orders", "row", "zero"],
        p=[0.15, 0.17, 0.08, 0.12, 0.12, 0.09, 0.2, 0.04, 0.03],
    )
    if kind == "random":
        return rng.random((n, m))
    if kind in ("square", "far"):
        return (x[:, None] - y) ** 2 if kind == "square" else np.abs(np.round(4 * x)[:, None] - np.round(4 * y)) / 2
    if kind == "miss":
        return (rng.integers(3, size=n)[:, None] != rng.integers(3, size=m)).astype(float)
    if kind == "integer":
        return rng.integers(0, 4, size=(n, m)).astype(float)
    if kind == "entropy":
        decisions = rng.dirichlet(np.full(3, 0.3), size=m) + 1e-12
        return -np.log(decisions / decisions.sum(axis=1, keepdims=True))[:, rng.integers(3, size=n)].T
    if kind == "orders":
        return np.exp(rng.choice([2.0, 4.0]) * rng.normal(size=(n, m)))
    return np.repeat(rng.random((n, 1)), m, axis=1) if kind == "row" else np.zeros((n, m))


def losses(rng, n: int, m: int, count: int, infinities: bool = True) -> dict[str, np.ndarray]:
    """Return losses by name: scales 1e-10 to 1e10, constant parts, equal rows and letters, infinities."""
    tables = [loss(rng, n, m) for _ in range(count)]
    for k in range(count):
        if chance(rng, 0.4):
            tables[k] = tables[k] * 10.0 ** rng.uniform(-10, 10)
        if chance(rng, 0.06):
            tables[k] = tables[k] + float(tables[k].max()) * 10.0 ** rng.uniform(0, 5)
    if chance(rng, 0.2) and n > 1:
        same = rng.integers(n, size=2)
        for table in tables:
            table[same[0]] = table[same[1]]
    if chance(rng, 0.2) and m > 1:
        same = rng.integers(m, size=2)
        for table in tables:
            table[:, same[0]] = table[:, same[1]]
    if infinities and chance(rng, 0.2) and m > 1:
        mask = rng.random((n, m)) < rng.uniform(0, 0.5)
        mask[np.arange(n), rng.integers(m, size=n)] = False
        tables[int(rng.integers(count))][mask] = INF
    return {f"l{k - 1}" if k else "distortion": table for k, table in enumerate(tables)}


# --------------------------------------------------------------------------------- limits


def rounded(value: Fraction, how: str) -> float:
    """Return a float near an exact number: the nearest, or the next one that is not below or above."""
    nearest = float(value)
    if how == "up" and Fraction(nearest) < value:
        return math.nextafter(nearest, INF)
    if how == "down" and Fraction(nearest) > value:
        return math.nextafter(nearest, -INF)
    return nearest


def mean(p: np.ndarray, values) -> Fraction:
    """Return the exact mean of one value per symbol."""
    total = sum(Fraction(float(mass)) for mass in p)
    pairs = zip(p, values, strict=True)
    return (
        sum((Fraction(float(mass)) * Fraction(float(value)) for mass, value in pairs if mass > 0), Fraction(0)) / total
    )


def linear_bound(rng, p: np.ndarray, table: np.ndarray, forbidden: np.ndarray) -> float:
    """Return a limit on a linear loss: at or about its least value, inside, at the zero-rate edge, beyond."""
    allowed = np.where(forbidden, INF, table)
    low = mean(p, np.where(p > 0, allowed.min(axis=1), 0.0))
    constant = np.flatnonzero(~forbidden[p > 0].any(axis=0))
    spread = float(table[~forbidden].max() - table[~forbidden].min())
    edges = [mean(p, allowed[:, a]) for a in constant]
    edge = min(edges, default=low + Fraction(spread))
    tiny = Fraction(spread * 10.0 ** -rng.uniform(2, 13))
    kinds = ["least", "least nearest", "ulp below", "above", "below", "inside", "edge", "near edge", "beyond"]
    kind = rng.choice(kinds, p=[0.13, 0.04, 0.03, 0.12, 0.05, 0.43, 0.08, 0.06, 0.06])
    if kind in ("least", "least nearest", "ulp below"):
        return rounded(low, {"least": "up", "least nearest": "nearest"}.get(kind, "down"))
    if kind in ("above", "below"):
        tiny = (
            low * Fraction(10.0 ** -rng.uniform(9, 15)) if chance(rng, 0.5) else tiny
        )  # of the value, or of the spread
        return max(0.0, float(low + (tiny if kind == "above" else -tiny)))
    if kind == "inside":
        return float(low + Fraction(rng.random() ** rng.choice([1, 5])) * (edge - low))
    if kind == "edge":
        return rounded(edge, "up")
    return max(0.0, float(edge + (tiny if chance(rng, 0.5) else -tiny))) if kind == "near edge" else float(edge) * 1.5


def entropy_bound(rng, low, high) -> float:
    """Return a limit on a label's entropy, between and around H(S | X) and H(S)."""
    kinds = ["least", "above", "below", "inside", "edge", "near edge", "beyond"]
    kind = rng.choice(kinds, p=[0.12, 0.1, 0.04, 0.56, 0.06, 0.06, 0.06])
    tiny = 10.0 ** -rng.uniform(2, 13)
    if kind == "least":
        return exact.up(low)
    if kind in ("above", "below"):
        return max(0.0, float(low) + (tiny if kind == "above" else -tiny * float(low)))
    if kind == "inside":
        return max(exact.up(low), float(low) + rng.random() * (float(high) - float(low)))
    return exact.up(high) * {"edge": 1.0, "near edge": 1 - tiny}.get(kind, 1.2)


def means_of(stated: Stated, channel: np.ndarray) -> dict[str, float]:
    """Return limits that a channel into the listed letters meets exactly, or by the next float."""
    found = exact.attained(stated, channel, np.arange(channel.shape[1]))
    return {name: exact.up(value) for name, value in found.means.items()}


def random_channel(rng, stated: Stated) -> np.ndarray:
    """Return a channel into the listed letters that uses no forbidden pair."""
    n, m = stated.forbidden.shape
    weights = (rng.dirichlet(np.full(m, 0.5), size=n) + 1e-3) * ~stated.forbidden
    return np.array([settled(row) for row in weights])


def witnessed(rng, stated: Stated) -> Stated:
    """Return the problem with limits that a known channel meets and hardly any other: a set without interior."""
    m = stated.forbidden.shape[1]
    tables = [np.where(stated.forbidden, INF, table) for table in stated.linear.values()]
    if chance(rng, 0.6):
        sizes = [float(table[np.isfinite(table)].max()) or 1.0 for table in tables]
        mixed = sum(
            weight * (table / one) for weight, table, one in zip(rng.random(len(tables)), tables, sizes, strict=True)
        )
        channel = np.eye(m)[mixed.argmin(axis=1)]
    else:
        channel = random_channel(rng, stated)
    bounds = means_of(replace(stated, labels=()), channel)
    bounds |= {name: exact.up(exact.unknown_label(stated, one)) for name, one in stated.entropies.items()}
    return replace(stated, bounds=bounds, witness=channel)


def two_sided(rng, stated: Stated) -> Stated:
    """Return the problem whose second loss is a constant minus the distortion, both limited: an equality."""
    table = stated.linear["distortion"]
    other = np.where(np.isinf(table), INF, float(table[np.isfinite(table)].max()) - table)
    changed = replace(stated, linear={"distortion": table, "l0": np.maximum(other, 0.0)})
    channel = random_channel(rng, changed)
    return replace(changed, bounds=means_of(replace(changed, labels=()), channel), witness=channel)


def some_limits(rng, stated: Stated) -> dict[str, float]:
    """Return limits on some of the losses, at least one."""
    bounds = {}
    for name, table in stated.linear.items():
        bounds[name] = linear_bound(rng, stated.p, table, stated.forbidden)
    if stated.free:
        bounds["distortion"] = point_bound(rng, stated)
    for name, one in stated.entropies.items():
        bounds[name] = entropy_bound(rng, exact.known_label(stated, one), exact.unknown_label(stated, one))
    if len(stated.linear) > 1 and chance(rng, 0.6):  # so that they can be met at once
        known = means_of(replace(stated, labels=()), random_channel(rng, stated))
        bounds |= {name: max(bounds[name], value) for name, value in known.items()}
    kept = [name for name in bounds if chance(rng, 0.75)] or [str(rng.choice(list(bounds)))]
    return {name: bounds[name] for name in kept}


def point_bound(rng, stated: Stated) -> float:
    """Return a limit on the squared error of points, around zero and the variance."""
    p, x = stated.p, stated.points
    variance = sum(mean(p, column**2) - mean(p, column) ** 2 for column in x.T) / stated.per_dimension
    variance = max(variance, Fraction(0))
    kind = rng.choice(["zero", "small", "inside", "edge", "near edge", "beyond"], p=[0.08, 0.14, 0.6, 0.06, 0.06, 0.06])
    if kind in ("zero", "small", "inside"):
        return {"zero": 0.0, "small": 10.0 ** -rng.uniform(2, 13)}.get(kind, rng.random()) * float(variance)
    tiny = 10.0 ** -rng.uniform(3, 13)
    return rounded(variance, "up") * {"edge": 1.0, "near edge": 1 - tiny}.get(kind, 1.5)


def rate_of(rng, stated: Stated) -> float:
    """Return a limit on the rate: zero, next to nothing, inside, H(X), more."""
    h = float(-(stated.p[stated.p > 0] * np.log(stated.p[stated.p > 0])).sum())
    kind = rng.choice(["zero", "tiny", "inside", "all", "beyond"], p=[0.12, 0.2, 0.53, 0.08, 0.07])
    values = {"zero": 0.0, "tiny": 10.0 ** -rng.uniform(1, 14), "inside": rng.random() * h, "all": max(h, 0.0)}
    return float(values.get(kind, h + 1))


def asked(rng, stated: Stated) -> Stated:
    """Return the problem with an objective and limits."""
    kind = rng.choice(["rate", "lagrangian", "loss", "budget"], p=[0.56, 0.2, 0.19, 0.05])
    if kind == "lagrangian":
        scale = 10.0 ** rng.uniform(-8, 8)
        names = [name for name in stated.loss_names if chance(rng, 0.8)] or [stated.loss_names[0]]
        weights = {name: float(scale * 10.0 ** rng.uniform(-1, 1)) for name in names}
        if chance(rng, 0.5):  # relative to the size of the loss, so that it neither vanishes nor rules
            weights = {name: weights[name] / (float(exact.spread(stated, name)) or 1.0) for name in names}
        return replace(stated, multipliers={name: min(max(w, 1e-8), 1e8) for name, w in weights.items()})
    bounds = some_limits(rng, stated)
    if kind == "rate":
        return replace(stated, bounds=bounds)
    if kind == "budget":
        return replace(stated, bounds=bounds, rate=rate_of(rng, stated))
    minimised = str(rng.choice(stated.loss_names))
    bounds.pop(minimised, None)
    return replace(stated, bounds=bounds, minimise=minimised, rate=rate_of(rng, stated))


# --------------------------------------------------------------------------------- families


def linear(rng, seed: int) -> Stated:
    """Letters listed, no label entropies."""
    n, m = size(rng), size(rng)
    stated = Stated("linear", seed, masses(rng, n), losses(rng, n, m, int(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))))
    if chance(rng, 0.06):
        return two_sided(rng, stated)
    if chance(rng, 0.1):
        return witnessed(rng, stated)
    return asked(rng, stated)


def split(rng, seed: int) -> Stated:
    """Letters listed, with soft decisions beside them."""
    n, m = size(rng, 9, 40), size(rng, 6, 12)
    labels = tuple(label(rng, n) for _ in range(int(rng.choice([1, 2], p=[0.8, 0.2]))))
    stated = Stated("split", seed, masses(rng, n), losses(rng, n, m, int(rng.choice([1, 2], p=[0.7, 0.3]))), labels)
    return witnessed(rng, stated) if chance(rng, 0.05) else asked(rng, stated)


def classes(rng, seed: int) -> Stated:
    """Labels of 5 to 20 noisy classes that are worth more than one nat of rate a nat, which no closed form bounds."""
    n, m = int(rng.integers(5, 21)), int(rng.choice([1, 2, 4], p=[0.6, 0.2, 0.2]))
    labels = tuple(noisy_label(rng, n) for _ in range(int(rng.choice([1, 2], p=[0.8, 0.2]))))
    linear = {"distortion": np.zeros((n, m)) if m == 1 else rng.random((n, m))}
    stated = Stated("classes", seed, masses(rng, n), linear, labels)
    if chance(rng, 0.2):
        points = np.sort(rng.normal(size=(n, 1)), axis=0)
        stated = replace(stated, linear={}, points=points)
    if chance(rng, 0.5):
        weights = {name: float(10.0 ** rng.uniform(0, 1)) for name in stated.entropies}
        return replace(
            stated, multipliers=weights | {"distortion": float(rng.choice([0.0, 10.0 ** rng.uniform(-1, 1)]))}
        )
    share = {name: rng.random() ** 2 for name in stated.entropies}
    ends = {
        name: (exact.known_label(stated, w), exact.unknown_label(stated, w)) for name, w in stated.entropies.items()
    }
    bounds = {
        name: max(exact.up(low), float(low) + share[name] * (float(high) - float(low)))
        for name, (low, high) in ends.items()
    }
    if chance(rng, 0.3) and not stated.free and m > 1:
        bounds["distortion"] = float(np.quantile(stated.linear["distortion"], rng.uniform(0.4, 0.9)))
    if chance(rng, 0.3):
        minimised = str(rng.choice(list(stated.entropies)))
        bounds.pop(minimised)
        return replace(stated, bounds=bounds, minimise=minimised, rate=rate_of(rng, stated))
    return replace(stated, bounds=bounds)


def noisy_label(rng, n: int) -> np.ndarray:
    """Return p(s | x) of 5 to 20 noisy classes: random rows, or classes on a line."""
    n_s = int(rng.integers(5, 21))
    if chance(rng, 0.5):
        w = rng.dirichlet(np.full(n_s, rng.choice([0.2, 0.5, 2.0])), size=n) + 1e-30
    else:
        gaps = rng.random((n, 1)) - np.linspace(0, 1, n_s)
        w = np.exp(-0.5 * (gaps / rng.uniform(0.05, 0.3)) ** 2)
        w[w < 1e-12] = 0.0
    return np.array([settled(row) for row in w])


def fixed(rng, seed: int) -> Stated:
    """Letters listed, whose labels are read from the symbol shown."""
    n, m = size(rng, 8, 0), size(rng, 5, 0)
    labels = tuple(label(rng, n) for _ in range(int(rng.choice([1, 2], p=[0.85, 0.15]))))
    tables = losses(rng, n, m, int(rng.choice([1, 2], p=[0.75, 0.25])))
    stated = Stated("fixed", seed, masses(rng, n), tables, labels, letters="fixed")
    if chance(rng, 0.3):  # limits that a map from symbols to letters meets
        mask = np.where(stated.forbidden, -1.0, rng.random(stated.forbidden.shape))
        channel = np.eye(m)[mask.argmax(axis=1)]
        bounds = means_of(stated, channel)
        room = 1.0 + (0.0 if chance(rng, 0.5) else 10.0 ** -rng.uniform(0, 6))
        return replace(stated, bounds={name: bound * room for name, bound in bounds.items()}, witness=channel)
    return asked(rng, stated)


def free(rng, family: str, seed: int, n: int) -> Stated:
    """Letters that are any points, on the line as a rule, with or without labels."""
    dim = int(rng.choice([1, 2], p=[0.85, 0.15]))
    x = rng.normal(size=(n, dim)) if chance(rng, 0.6) else rng.integers(-2, 3, size=(n, dim)).astype(float)
    if chance(rng, 0.3):
        x = x * 10.0 ** rng.uniform(-5, 5)
    if chance(rng, 0.08):
        x = x + 100.0 * (np.abs(x).max() + 1)
    labels = tuple(label(rng, n) for _ in range(int(rng.choice([0, 1, 2], p=[0.35, 0.55, 0.1]))))
    return Stated(family, seed, masses(rng, n), labels=labels, points=x, mean=chance(rng, 0.15))


def points(rng, seed: int) -> Stated:
    """Letters that are any points."""
    return asked(rng, free(rng, "points", seed, size(rng, 9, 30)))


def universal(rng, seed: int) -> Stated:
    """Two or three targets for one encoder."""
    kind = rng.choice(["linear", "split", "fixed", "free"], p=[0.3, 0.35, 0.15, 0.2])
    n, m = int(rng.integers(1, 8)), int(rng.integers(1, 5))
    if kind == "free":
        stated = free(rng, "universal", seed, n)
    else:
        labels = () if kind == "linear" else (label(rng, n),)
        tables = losses(rng, n, m, int(rng.choice([1, 2], p=[0.4, 0.6])), infinities=chance(rng, 0.5))
        letters = "fixed" if kind == "fixed" else "split"
        stated = Stated("universal", seed, masses(rng, n), tables, labels, letters=letters)
    count = int(rng.choice([2, 3], p=[0.7, 0.3]))
    return replace(stated, targets=tuple(some_limits(rng, stated) for _ in range(count)))


def region(rng, seed: int) -> Stated:
    """What a random encoder can be decoded to."""
    kind = rng.choice(["linear", "split", "fixed", "free"], p=[0.4, 0.2, 0.25, 0.15])
    n, m = size(rng, 9, 30), size(rng, 6, 12)
    if kind == "free":
        stated = free(rng, "region", seed, n)
        stated = stated if stated.labels else replace(stated, labels=(label(rng, n),))
    else:
        labels = () if kind == "linear" else (label(rng, n),)
        tables = losses(rng, n, m, 2 if kind == "linear" else 1, infinities=False)
        stated = Stated("region", seed, masses(rng, n), tables, labels, letters="fixed" if kind == "fixed" else "split")
    k = size(rng, 5, 0 if kind == "fixed" else 20)
    if chance(rng, 0.3):
        encoder = np.eye(k)[rng.integers(k, size=n)]
    else:
        encoder = np.array([settled(row) for row in rng.dirichlet(np.full(k, 0.5), size=n)])
    return replace(stated, encoder=encoder)


MAKERS = {
    "linear": linear,
    "split": split,
    "classes": classes,
    "fixed": fixed,
    "points": points,
    "universal": universal,
    "region": region,
}
