"""The problems of `compare.py`, drawn from seeds: plain numbers, and the library's problem that they state.

Most have 3 to 60 symbols, some 200. Rarely one takes a hundred times as long as all others, so that the total would say
nothing else: the seeds are such that none does.
"""

import math
from dataclasses import dataclass, field

import numpy as np

import rdcsolve as rdc

COUNTS = {"label": 200, "free": 50, "fixed": 50, "universal": 50}


class Numbers:
    """Random numbers that all come from the doubles of `Generator.random`, which no version of NumPy has changed."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def uniform(self, low, high, size=None):
        """Return numbers between two others."""
        return low + (high - low) * self.rng.random(size)

    def integer(self, low, high):
        """Return a whole number, at least `low` and below `high`."""
        return low + int((high - low) * self.rng.random())

    def pick(self, options):
        """Return one of a sequence."""
        return options[self.integer(0, len(options))]

    def masses(self, size, power=1.0):
        """Return distributions along the last axis: uniformly drawn ones for power 1, more peaked ones beyond."""
        weights = (-np.log1p(-self.rng.random(size))) ** power + 1e-12
        return weights / weights.sum(axis=-1, keepdims=True)

    def powers(self, low, high):
        """Return ten to the power of a number between two others."""
        return float(10 ** self.uniform(low, high))


@dataclass
class Drawn:
    """What a problem is made of: plain numbers.

    Parameters
    ----------
    p : numpy.ndarray
        Masses.
    d : numpy.ndarray or None
        Distortions, shape (n_x, n_y); None where letters are free.
    points : numpy.ndarray or None
        Of the symbols, where letters are free.
    labels : list of numpy.ndarray
    other : numpy.ndarray or None
        A second loss.
    letters : str
        ``"split"`` or ``"fixed"``.
    limits, multipliers : dict of str to float
        By name of the loss, and ``rate``.
    minimise : str
    targets : list of dict of str to float
        Of a universal rate.
    method : str
        Of a universal rate.
    tolerance : float
    """

    p: np.ndarray
    d: np.ndarray | None = None
    points: np.ndarray | None = None
    labels: list[np.ndarray] = field(default_factory=list)
    other: np.ndarray | None = None
    letters: str = "split"
    limits: dict[str, float] = field(default_factory=dict)
    multipliers: dict[str, float] = field(default_factory=dict)
    minimise: str = "rate"
    targets: list[dict[str, float]] = field(default_factory=list)
    method: str = "automatic"
    tolerance: float = 1e-9

    @property
    def digest(self):
        """A number by which to tell another problem from this one, the same wherever logarithms are."""
        arrays = [self.p, self.d, self.points, *self.labels, self.other]
        values = [np.ravel(one) for one in arrays if one is not None]
        values += [np.array(list(one.values())) for one in (self.limits, self.multipliers, *self.targets)]
        together = np.concatenate(values)
        return float(together @ (1 + np.arange(together.size) % 97) / together.size)


def entropy(p):
    """Return the entropy of distributions along the last axis, nats."""
    return -np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(axis=-1)


def label_ends(p, label):
    """Return H(S | X) and H(S): the least label entropy, and the one that needs no rate."""
    return float(p @ entropy(label)), float(entropy(p @ label))


def distortion_ends(drawn):
    """Return the least distortion, and the one that needs no rate."""
    if drawn.d is None:
        return 0.0, float(drawn.p @ ((drawn.points - drawn.p @ drawn.points) ** 2).sum(axis=1))
    return float(drawn.p @ drawn.d.min(axis=1)), float((drawn.p @ drawn.d).min())


def between(ends, share):
    """Return the number that is a share of the way from one end to the other."""
    return float(ends[0] + share * (ends[1] - ends[0]))


# ------------------------------------------------------------------------------------- what problems are made of

LABELS = ["deterministic", "noisy", "nearly deterministic"]
QUESTIONS = ["C", "D and C", "multipliers", "D and C", "distortion", "label_entropy", "D"]


def draw_label(numbers, kind, n_x, points=None):
    """Return a label of two to six classes, of points where there are any: then its classes are intervals."""
    n_s = min(numbers.integer(2, 7), n_x)
    if points is None:
        classes, noise = np.argsort(numbers.uniform(0, 1, n_x)) % n_s, numbers.masses((n_x, n_s), 2.0)
    else:
        edges = np.sort(numbers.uniform(-1.5, 1.5, n_s - 1))
        classes = np.searchsorted(edges, points[:, 0])
        centres = np.sort(numbers.uniform(-1.5, 1.5, n_s))
        noise = np.exp(-((points[:, :1] - centres) ** 2) / (2 * 0.6**2))
        noise /= noise.sum(axis=1, keepdims=True)
    share = {"deterministic": 0.0, "noisy": 1.0}.get(kind, numbers.powers(-6, -2))
    return (1 - share) * np.eye(n_s)[classes] + share * noise


def draw_distortion(numbers, n_x, n_y):
    """Return a matrix without structure, or the squared error of points in the plane."""
    if numbers.rng.random() < 0.5:
        return numbers.uniform(0, 1, (n_x, n_y))
    x, y = numbers.uniform(-1, 1, (n_x, 2)), numbers.uniform(-1, 1, (n_y, 2))
    return ((x[:, None] - y[None]) ** 2).sum(axis=2)


def ask(numbers, drawn, question, leasts):
    """Limit the losses of a problem, or weigh them.

    A limit is at a share of the way from the least loss to the one that needs no rate; the least share is one of
    `leasts`. With split letters all limits can be met together. Where a loss is minimised the rate is enough for the
    other limits: to tell the symbol in some share of all cases needs that share of H(X), and where letters are free a
    distortion needs no more rate than a Gaussian's.
    """
    ends = {"distortion": distortion_ends(drawn)}
    names = ["label_entropy", "label_entropy_1"][: len(drawn.labels)]
    ends |= {name: label_ends(drawn.p, label) for name, label in zip(names, drawn.labels, strict=True)}
    if question == "multipliers":
        size = ends["distortion"][1] - ends["distortion"][0] + 1e-3
        drawn.multipliers = {"distortion": numbers.powers(-0.5, 1.5) / size}
        drawn.multipliers |= {name: numbers.powers(-0.5, 1.5) for name in names}
        return
    limited = {"C": names, "D": ["distortion"]}.get(question, list(ends))
    least = numbers.pick(leasts)
    shares = {name: float(least ** numbers.uniform(0.02, 1)) for name in limited if name != question}
    drawn.limits = {name: between(ends[name], share) for name, share in shares.items()}
    if question in ends:
        most = float(entropy(drawn.p))
        needed = (1 - min(shares.values(), default=0.7)) * most
        if drawn.points is not None and list(shares) == ["distortion"]:
            needed = min(needed, drawn.points.shape[1] / 2 * math.log(1 / shares["distortion"]))
        drawn.minimise = question
        drawn.limits["rate"] = needed + numbers.uniform(0.02, 0.3) * most


def label_problem(k):
    """Draw a problem with one label, three in eleven with two, and split letters; one in forty is infeasible."""
    numbers = Numbers(1000 + k)
    n_x = 200 if k % 25 == 20 else numbers.integer(20, 61) if k % 2 else numbers.integer(3, 20)
    p = numbers.masses(n_x, numbers.pick([0.5, 1.0, 2.0]))
    if k % 13 == 4:
        p = np.r_[0.0, p[1:] / p[1:].sum()]
    labels = [draw_label(numbers, LABELS[k % 3], n_x)]
    if k % 11 in (3, 7, 9):
        labels.append(draw_label(numbers, numbers.pick(LABELS), n_x))
    n_y = numbers.integer(2, 13 if len(labels) == 1 else 7)
    drawn = Drawn(p, draw_distortion(numbers, n_x, n_y), labels=labels, tolerance=numbers.pick([1e-9, 1e-6]))
    ask(numbers, drawn, QUESTIONS[k % 7], [0.05, 0.05, 0.001])
    if k % 41 == 8:
        drawn.limits = {"distortion": 0.9 * distortion_ends(drawn)[0], "label_entropy": 1.0}
        drawn.minimise, drawn.multipliers = "rate", {}
    return drawn


def free_problem(k):
    """Draw a problem with free letters on the line, one in eight in the plane, and up to two labels."""
    numbers = Numbers(2700 + k)
    dim = 2 if k % 8 == 5 else 1
    n_x = numbers.integer(4, 8) if dim == 2 else 60 if k % 16 == 4 else numbers.integer(4, 41)
    points = numbers.uniform(-2, 2, (n_x, dim))
    if dim == 1:
        points = np.sort(points, axis=0)
    labels = [draw_label(numbers, numbers.pick(LABELS), n_x, points) for _ in range((0, 1, 1, 1, 2)[k % 5])]
    drawn = Drawn(numbers.masses(n_x, 0.7), points=points, labels=labels, tolerance=numbers.pick([1e-8, 1e-6]))
    question = QUESTIONS[k % 7]
    question = question if labels or question in ("multipliers", "distortion") else "D"
    ask(numbers, drawn, question, [0.2])
    return drawn


def fixed_problem(k):
    """Draw a problem with fixed letters and one label, one in four with two."""
    numbers = Numbers(3000 + k)
    n_x = numbers.integer(3, 17)
    labels = [draw_label(numbers, LABELS[k % 3], n_x) for _ in range(2 if k % 4 == 3 else 1)]
    d = draw_distortion(numbers, n_x, numbers.integer(3, 10))
    drawn = Drawn(numbers.masses(n_x), d, labels=labels, letters="fixed", tolerance=1e-7)
    ask(numbers, drawn, QUESTIONS[k % 7], [0.2])
    return drawn


KINDS = ["corner", "two losses", "corner, two labels", "two losses, label", "corner, free", "fixed", "tuples"]


def universal_problem(k):
    """Draw a problem with two or three targets, which limit two losses in turns, or one and label entropies."""
    numbers, kind = Numbers(5400 + k), KINDS[k % 7]
    n_x = numbers.integer(3, 17)
    points = np.sort(numbers.uniform(-2, 2, (n_x, 1)), axis=0) if kind == "corner, free" else None
    count = {"two losses": 0, "corner, two labels": 2}.get(kind, 1)
    labels = [draw_label(numbers, numbers.pick(LABELS), n_x, points) for _ in range(count)]
    n_y = numbers.integer(2, 7 if kind == "two losses" else 5)
    d = draw_distortion(numbers, n_x, n_y) if points is None else None
    letters = "fixed" if kind == "fixed" else "split"
    drawn = Drawn(numbers.masses(n_x), d, points, labels, letters=letters, tolerance=numbers.pick([1e-6, 1e-7]))
    drawn.method = "tuples" if kind == "tuples" else "automatic"
    ends = {"distortion": distortion_ends(drawn)}
    names = ["label_entropy", "label_entropy_1"]
    ends |= {name: label_ends(drawn.p, label) for name, label in zip(names, labels, strict=False)}
    if "two losses" in kind:
        drawn.other = draw_distortion(numbers, n_x, n_y)
        ends["other"] = float(drawn.p @ drawn.other.min(axis=1)), float((drawn.p @ drawn.other).min())
    for j in range(2 if kind == "tuples" else numbers.integer(2, 4)):
        limited = ["distortion", "other"][j % 2 : j % 2 + 1] if "other" in ends else list(ends)
        limited += ["label_entropy"] if "other" in ends and labels else []
        drawn.targets.append({name: between(ends[name], numbers.uniform(0.15, 0.9)) for name in limited})
    return drawn


DRAW = {"label": label_problem, "free": free_problem, "fixed": fixed_problem, "universal": universal_problem}


def state(drawn):
    """Return the library's problem."""
    if drawn.points is None:
        named = {"losses": {"other": drawn.other}} if drawn.other is not None else {}
        label = {"p_s_given_x": drawn.labels, "C": math.inf} if drawn.labels else {}
        problem = rdc.Problem.from_arrays(drawn.p, drawn.d, **label, **named, letters=drawn.letters)
    else:
        source = rdc.Source(drawn.points, drawn.p, labels=drawn.labels)
        limits = [rdc.LabelEntropyLimit(math.inf, k) for k in range(len(drawn.labels))]
        problem = rdc.Problem(source, reproduction="free", limits=limits)
    if drawn.multipliers:
        return problem.at_multipliers(**drawn.multipliers)
    problem = problem.with_limits(**drawn.limits)
    return problem if drawn.minimise == "rate" else problem.minimising(drawn.minimise)
