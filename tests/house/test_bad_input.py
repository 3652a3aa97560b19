"""Every bad statement is refused before any work, with the value and the cure in the message."""

import math

import numpy as np
import pytest

from rdcsolve import data as sources
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import (
    ClassifierLossLimit,
    DistortionLimit,
    Loss,
    LossLimit,
    Problem,
    RateLimit,
    Source,
    distortion_matrix,
)

NAN, INF = math.nan, math.inf
COIN = Source([0.0, 1.0], [0.7, 0.3], labels=[[[0.9, 0.1], [0.1, 0.9]]])
BARE = Source(None, [0.7, 0.3])
SQUARE = np.array([[0.0, 1.0], [1.0, 0.0]])
SURE = np.eye(2)


def problem(*limits, **keywords):
    return Problem(COIN, limits=limits, **keywords)


SOURCES = {
    "sum too large": (
        lambda: Source(None, [0.7, 0.3013]),
        r"p_x sums to 1\.0013; pass normalise=True or rescale",
    ),
    "sum just outside": (
        lambda: Source(None, [0.7, 0.3 + 2e-9]),
        r"p_x sums to 1\.000000002; pass normalise",
    ),
    "negative mass": (
        lambda: Source(None, [1.2, -0.2]),
        r"p_x\[1\] is -0\.2; masses must be finite and non-neg.*fix",
    ),
    "nan mass": (lambda: Source(None, [0.5, NAN]), r"p_x\[1\] is nan; masses must be finite"),
    "infinite mass": (
        lambda: Source(None, [INF, 0], normalise=True),
        r"p_x\[0\] is inf; masses must be finite",
    ),
    "no mass": (
        lambda: Source(None, [0, 0], normalise=True),
        r"p_x sums to 0 and cannot be normalised; give it",
    ),
    "empty alphabet": (lambda: Source(None, []), r"p_x is empty; an alphabet needs at least one symbol"),
    "matrix of masses": (
        lambda: Source(None, [[0.5, 0.5]]),
        r"p_x has shape \(1, 2\); give one mass per symbol",
    ),
    "text": (lambda: Source(None, ["a", "b"]), r"p_x holds <U1 entries; convert them to real numbers"),
    "complex": (lambda: Source(None, [1j]), r"p_x holds complex128 entries; convert"),
    "objects": (lambda: Source(None, [object()]), r"p_x holds entries that are not real numbers .*; convert"),
    "ragged": (
        lambda: Source([[1.0], [1.0, 2.0]], [0.5, 0.5]),
        r"points is not a regular array .*rows equally long",
    ),
    "points and masses": (
        lambda: Source([1, 2, 3], [0.5, 0.5]),
        r"points has 3 rows but p_x has 2 masses; give one",
    ),
    "3-d points": (
        lambda: Source(np.ones((2, 2, 2)), [0.5, 0.5]),
        r"points has shape \(2, 2, 2\); .*\(n, dim\)",
    ),
    "0-d points": (lambda: Source(1.0, [1.0]), r"points has shape \(\); give one row per point"),
    "points of dimension zero": (
        lambda: Source(np.ones((2, 0)), [0.5, 0.5]),
        r"shape \(2, 0\) and is empty; give",
    ),
    "nan point": (
        lambda: Source([[0.0], [NAN]], [0.5, 0.5]),
        r"points\[1, 0\] is nan; points must be finite: drop",
    ),
    "label row sum": (
        lambda: Source(None, [0.5, 0.5], labels=[SURE, [[1, 0], [0.5, 0.4]]]),
        r"row 1 of label 1 sums to 0\.9; pass normalise=True or rescale",
    ),
    "label rows": (
        lambda: Source(None, [1.0], labels=[SURE]),
        r"label 0 has shape \(2, 2\); it needs 1 rows",
    ),
    "label without classes": (
        lambda: Source(None, [1.0], labels=[np.ones((1, 0))]),
        r"label 0 has shape \(1, 0\)",
    ),
    "label classes instead of rows": (
        lambda: Source(None, [0.5, 0.5], labels=[0, 1]),
        r"label 0 has shape \(\)",
    ),
    "negative label": (
        lambda: Source(None, [1.0], labels=[[[1.5, -0.5]]]),
        r"label 0\[0, 1\] is -0\.5; masses",
    ),
    "nan label": (
        lambda: Source(None, [1.0], labels=[[[NAN, 1]]]),
        r"label 0\[0, 0\] is nan; masses must be",
    ),
    "empty label row": (
        lambda: Source(None, [1, 1], labels=[[[1, 1], [0, 0]]], normalise=True),
        r"row 1 of label 0 sums to 0 and cannot be normalised; give it a positive",
    ),
    "labels not a list": (lambda: Source(None, [1.0], labels=3), r"labels is 3; give a list of matrices"),
    "name": (lambda: Source(None, [1.0], name=3), r"name is 3; give a string"),
    "samples": (lambda: Source.from_samples([]), r"samples has shape \(0, 1\) and is empty"),
    "nan sample": (lambda: Source.from_samples([1, NAN]), r"samples\[1, 0\] is nan; points must be finite"),
    "few labels": (
        lambda: Source.from_samples([1, 2], labels=["a"]),
        r"label 0 has 1 values for 2 samples; give one",
    ),
    "few weights": (
        lambda: Source.from_samples([1, 2], weights=[1]),
        r"weights has 1 entries for 2 samples; give",
    ),
    "unhashable label": (
        lambda: Source.from_samples([1, 2], labels=[{}, {}]),
        r"label 0 of sample 0 is {}; use hash",
    ),
    "missing label": (
        lambda: Source.from_samples([1, 2], labels=[1, None]),
        r"label 0 of sample 1 is None; drop",
    ),
    "nan class": (
        lambda: Source.from_samples([1, 2], labels=[1, NAN]),
        r"label 0 of sample 1 is nan; drop the sample",
    ),
    "scalar label": (
        lambda: Source.from_samples([1, 2], labels=1),
        r"labels is 1; give one label per sample",
    ),
    "3-d labels": (
        lambda: Source.from_samples([1], labels=np.ones((1, 1, 1))),
        r"labels has shape \(1, 1, 1\)",
    ),
}

DISTORTIONS = {
    "unknown name": (
        lambda: Problem(COIN, distortion="mse"),
        r"unknown distortion 'mse'; choose one of 'squared_error', 'mean_squared_error', 'abs.*', 'hamming'",
    ),
    "no points": (
        lambda: Problem(BARE),
        r"source has no points, which distortion 'squared_error' needs; give them",
    ),
    "no reproduction": (
        lambda: distortion_matrix("hamming", [1.0], None),
        r"reproduction points are missing",
    ),
    "dimensions": (
        lambda: Problem(COIN, [[0, 0]]),
        r"points have dimension 1 but reproduction has 2; make the",
    ),
    "nan": (
        lambda: Problem(BARE, distortion=[[0, NAN], [1, 0]]),
        r"distortion\[0, 1\] is nan; losses are real numbers, or \+inf.*fix",
    ),
    "minus infinity": (
        lambda: Problem(BARE, distortion=[[0, -INF], [1, 0]]),
        r"distortion\[0, 1\] is -inf; losses",
    ),
    "vector": (
        lambda: Problem(BARE, distortion=[0, 1]),
        r"distortion has shape \(2,\); give a matrix of shape",
    ),
    "no letters": (
        lambda: Problem(BARE, distortion=np.ones((2, 0))),
        r"distortion has shape \(2, 0\); .*no empty",
    ),
    "rows": (
        lambda: Problem(BARE, distortion=np.ones((3, 2))),
        r"'distortion' has 3 rows but the source has 2 symb",
    ),
    "function's shape": (
        lambda: Problem(COIN, distortion=lambda x, y: np.ones((2, 3))),
        r"distortion from <lambda> has shape \(2, 3\) but there are 2 symbols and 2 letters; give",
    ),
    "function's entries": (
        lambda: Problem(COIN, distortion=lambda x, y: np.where(x > y.T, NAN, 1.0)),
        r"distortion from <lambda>\[1, 0\] is nan; losses are real numbers",
    ),
    "reproduction and matrix": (
        lambda: Problem(COIN, [0, 1, 2], distortion=SQUARE),
        r"reproduction has 3 points but the losses have 2 columns; give one point per letter",
    ),
    "nan reproduction": (
        lambda: Problem(COIN, [0, NAN]),
        r"reproduction\[1, 0\] is nan; points must be finite",
    ),
    "from_arrays": (
        lambda: Problem.from_arrays([1.0], "hamming"),
        r"source has no points, which .*pass a matrix",
    ),
}

LIMITS = {
    "nan bound": (
        lambda: DistortionLimit(NAN),
        r"bound of DistortionLimit is nan; a bound is a real number, or inf",
    ),
    "negative bound": (
        lambda: Problem(BARE, distortion=SQUARE, limits=[LossLimit(-1, SQUARE, "tail")]),
        r"the bound on tail is -1; a bound must be >= 0, .* never below zero",
    ),
    "text bound": (
        lambda: ClassifierLossLimit("1", SURE),
        r"bound of ClassifierLossLimit is '1'; give one real",
    ),
    "array bound": (
        lambda: DistortionLimit([0.1, 0.2]),
        r"bound of DistortionLimit is \[0\.1, 0\.2\]; give one real",
    ),
    "no bound": (lambda: DistortionLimit(None), r"bound of DistortionLimit is None; give one real number"),
    "nan rate": (lambda: RateLimit(NAN), r"the rate bound is nan; a bound must be >= 0"),
    "negative rate": (lambda: RateLimit(-0.1), r"the rate bound is -0\.1; a bound must be >= 0"),
    "infinite rate": (lambda: RateLimit(INF), r"the rate bound is inf; give a finite rate in nats"),
    "name without distortion": (
        lambda: DistortionLimit(1, name="d2"),
        r"named 'd2' has no distortion .*; pass distort",
    ),
    "distortion without name": (
        lambda: DistortionLimit(1, "hamming"),
        r"named 'distortion', like .*another name=",
    ),
    "loss entries": (
        lambda: LossLimit(1, [[NAN]], "tail"),
        r"loss 'tail'\[0, 0\] is nan; losses are real numbers",
    ),
    "loss name": (lambda: LossLimit(1, SQUARE, "my loss"), r"named 'my loss'; use a Python identifier"),
    "name not text": (lambda: Loss(3, SQUARE), r"named 3; use a Python identifier"),
    "reserved name": (
        lambda: LossLimit(1, SQUARE, "rate"),
        r"named 'rate', which is reserved; choose another",
    ),
    "unknown classifier loss": (
        lambda: ClassifierLossLimit(1, SURE, loss="hinge"),
        r"unknown classifier loss 'hinge'; choose one of 'cross_entropy', 'error_rate'",
    ),
    "classifier rows": (
        lambda: ClassifierLossLimit(1, [[0.5, 0.5], [0.5, 0.6]]),
        r"row 1 of classifier sums to 1\.1; divide each row by its sum, or take a softmax",
    ),
    "negative decision": (
        lambda: ClassifierLossLimit(1, [[1.1, -0.1]]),
        r"classifier\[0, 1\] is -0\.1; masses must",
    ),
    "classifier column": (
        lambda: ClassifierLossLimit(1, [0.5, 1.5]),
        r"classifier\[1\] is 1\.5; one column is the probability of the second of two classes, in \[0, 1\]",
    ),
    "classifier of three axes": (
        lambda: ClassifierLossLimit(1, [[[0.5, 0.5]]]),
        r"classifier has shape \(1, 1, 2\); it needs",
    ),
    "classifier scalar": (lambda: ClassifierLossLimit(1, 0.5), r"classifier has shape \(\); it needs"),
}

PROBLEMS = {
    "not a source": (
        lambda: Problem([0.5, 0.5]),
        r"source is \[0\.5, 0\.5\]; pass a Source, or use Problem.from_a",
    ),
    "not a limit": (
        lambda: problem(0.25),
        r"limits holds 0\.25; the known limits are DistortionLimit, LabelEntropyLimit, InformationLimit, Cl.*RateLimit",
    ),
    "limit on its own is fine, a number is not": (
        lambda: Problem(COIN, limits=0.25),
        r"limits holds 0\.25; the known",
    ),
    "twice": (
        lambda: problem(DistortionLimit(0.1), DistortionLimit(0.2)),
        r"the distortion is limited twice; keep one",
    ),
    "two rates": (
        lambda: problem(RateLimit(1), RateLimit(2)),
        r"2 rate limits are given; keep the smallest, R.*\(1\)",
    ),
    "same names": (
        lambda: problem(LossLimit(1, SQUARE, "tail"), LossLimit(1, SQUARE, "tail")),
        r"2 losses are called 'tail'; give each its own name=",
    ),
    "taken name": (
        lambda: problem(LossLimit(1, SQUARE, "distortion")),
        r"2 losses are called 'distortion'; give",
    ),
    "loss columns": (
        lambda: problem(LossLimit(1, np.ones((2, 3)), "tail")),
        r"loss 'tail' has 3 columns but 'distortion' has 2; give every loss one column per letter",
    ),
    "loss rows": (
        lambda: problem(LossLimit(1, np.ones((3, 2)), "tail")),
        r"'tail' has 3 rows but the source has 2",
    ),
    "unknown label": (
        lambda: problem(ClassifierLossLimit(1, SURE, label=1)),
        r"'classifier_loss' is about label 1 but the source has labels 0 to 0",
    ),
    "label by truth": (lambda: problem(ClassifierLossLimit(1, SURE, label=False)), r"about label False but"),
    "no labels": (
        lambda: Problem(BARE, distortion=SQUARE, limits=[ClassifierLossLimit(1, SURE)]),
        r"about label 0 but the source has no labels; pass labels= to Source",
    ),
    "classes": (
        lambda: problem(ClassifierLossLimit(1, np.full((2, 3), 1 / 3))),
        r"decides between 3 classes but label 0 has 2; give it one column per class",
    ),
    "classifier's letters": (
        lambda: problem(ClassifierLossLimit(1, np.full((3, 2), 0.5))),
        r"loss 'classifier_loss' has 3 columns but 'distortion' has 2",
    ),
    "classifier's function": (
        lambda: problem(ClassifierLossLimit(1, lambda y: np.ones((2, 2)))),
        r"row 0 of classifier <lambda> sums to 2; divide each row",
    ),
    "classifier's function's rows": (
        lambda: problem(ClassifierLossLimit(1, lambda y: SURE[:1])),
        r"classifier <lambda> has shape \(1, 2\); it needs 2 rows",
    ),
    "classifier without points": (
        lambda: Problem(COIN, distortion=np.ones((2, 3)), limits=[ClassifierLossLimit(1, lambda y: SURE)]),
        r"is a function but there are no reproduction points; pass reproduction=",
    ),
    "all letters forbidden": (
        lambda: Problem.from_arrays([0.7, 0.3], [[0, 0], [INF, 0]], losses={"b": [[0, 0], [0, INF]]}),
        r"symbol 1 has mass 0\.3 but every letter is forbidden .*so affected: 1\); allow it a letter",
    ),
    "loss without rate": (
        lambda: problem(minimise="distortion"),
        r"minimise='distortion' needs a limit on the rate; add RateLimit",
    ),
    "unknown objective": (
        lambda: problem(RateLimit(1), minimise="distorsion"),
        r"unknown objective 'distorsion'; choose one of 'rate', 'distortion'",
    ),
    "minimised and limited": (
        lambda: problem(RateLimit(1), DistortionLimit(0.25), minimise="distortion"),
        r"distortion is minimised and limited to 0\.25; drop that limit",
    ),
    "limited while minimised": (
        lambda: problem().minimising("distortion", rate=1).with_limits(D=0.1),
        r"distortion is minimised and limited to 0\.1; drop that limit",
    ),
    "rate lifted while needed": (
        lambda: problem().minimising("distortion", rate=1).with_limits(rate=None),
        r"minimise='distortion' needs a limit on the rate",
    ),
    "with_limits: unknown": (
        lambda: problem().with_limits(tail=1),
        r"unknown loss 'tail'; this problem has the losses 'distortion'",
    ),
    "with_limits: nan": (
        lambda: problem().with_limits(D=NAN),
        r"the bound on distortion is nan; a bound is a real number",
    ),
    "with_limits: negative": (
        lambda: problem().with_limits(D=-1),
        r"the bound on distortion is -1; a bound must be >= 0",
    ),
    "with_limits: rate": (
        lambda: problem().with_limits(rate=-1),
        r"the rate bound is -1; a bound must be >= 0",
    ),
    "with_limits: both": (
        lambda: problem().with_limits(D=1, distortion=1),
        r"the limit on distortion is stated twice; give it once",
    ),
    "at_multipliers: none": (
        lambda: problem().at_multipliers(),
        r"no multiplier is given; name one, such as at_mult",
    ),
    "at_multipliers: unknown": (
        lambda: problem().at_multipliers(tail=1),
        r"unknown loss 'tail'; this problem has",
    ),
    "at_multipliers: negative": (
        lambda: problem().at_multipliers(distortion=-1),
        r"the multiplier of distortion is -1; it must be finite and >= 0",
    ),
    "at_multipliers: infinite": (
        lambda: problem().at_multipliers(distortion=INF),
        r"distortion is inf; it must be fin",
    ),
    "at_multipliers: nan": (
        lambda: problem().at_multipliers(distortion=NAN),
        r"distortion is nan; it must be finite",
    ),
    "minimising: unknown": (
        lambda: problem().minimising("tail", rate=1),
        r"unknown objective 'tail'; choose one of",
    ),
    "minimising: no rate": (
        lambda: problem().minimising("distortion"),
        r"needs a limit on the rate; add RateLimit",
    ),
    "from_arrays: twice": (
        lambda: Problem.from_arrays([0.5, 0.5], SQUARE, D=0.1, limits={"distortion": 0.2}),
        r"the limit on distortion is stated twice; give it once",
    ),
    "from_arrays: unknown limit": (
        lambda: Problem.from_arrays([0.5, 0.5], SQUARE, limits={"tail": 0.2}),
        r"unknown loss 'tail'; this problem has the losses 'distortion'",
    ),
    "from_arrays: masses": (
        lambda: Problem.from_arrays([0.5, 0.6], SQUARE),
        r"p_x sums to 1\.1; pass normalise=True or rescale",
    ),
    "from_arrays: labels": (
        lambda: Problem.from_arrays([0.5, 0.5], SQUARE, [[1, 0], [0.5, 0.4]]),
        r"row 1 of label 0 sums to 0\.9; pass normalise=True or rescale",
    ),
}

PARAMETERS = {
    "variance": (lambda: sources.gaussian(var_x=0), r"var_x is 0; it must be finite and > 0"),
    "grid": (lambda: sources.gaussian(1), r"number of grid points is 1; it must be an integer >= 2"),
    "half a grid": (
        lambda: sources.laplace(10.5),
        r"number of grid points is 10\.5; it must be an integer >= 2",
    ),
    "scale": (lambda: sources.laplace(scale=-1), r"scale is -1; it must be finite and > 0"),
    "half width": (lambda: sources.gaussian(half_width=INF), r"half_width is inf; it must be finite and > 0"),
    "ends": (
        lambda: sources.uniform(5, low=1, high=1),
        r"low is 1 and high is 1; they must be finite, with low < high",
    ),
    "probability": (lambda: sources.bernoulli(1.5), r"p is 1\.5; a probability must lie in \[0, 1\]"),
    "flip": (lambda: sources.binary_pair(0.5, -0.1), r"p1 is -0\.1; a probability must lie in \[0, 1\]"),
    "correlation": (
        lambda: sources.gaussian_pair(1.0),
        r"rho is 1; a correlation must lie strictly between -1 and 1",
    ),
    "means": (lambda: sources.mixture([]), r"means is \[\]; give finite numbers of shape"),
    "nan mean": (lambda: sources.mixture([NAN]), r"means is \[nan\]; give finite numbers of shape"),
    "text means": (lambda: sources.mixture(["a"]), r"means holds <U1 entries; convert them to real numbers"),
    "sigma": (
        lambda: sources.mixture([0.0], 0.0),
        r"sigmas is 0\.0; standard deviations must be finite and > 0",
    ),
    "sigmas": (
        lambda: sources.mixture([0, 1], [1, 1, 1]),
        r"sigmas has shape \(3, 1\) for means of shape \(2, 1\)",
    ),
    "weights": (
        lambda: sources.mixture([0, 1], 1, [1]),
        r"weights has 1 entries for 2 components; give one weight",
    ),
    "negative weight": (lambda: sources.mixture([0, 1], 1, [2, -1]), r"weights\[1\] is -1; masses must be"),
    "axes": (
        lambda: sources.mixture([[0, 0]], n_x=(5, 5, 5)),
        r"n_x is \(5, 5, 5\); .* for each of the 2 axes",
    ),
    "no range": (
        lambda: sources.mixture([0.0], low=2, high=1),
        r"from low=2 to high=1; make low < high, both finite",
    ),
    "text range": (lambda: sources.mixture([0.0], low="a"), r"low is 'a'; give one real number"),
    "part": (
        lambda: sources.digits("validation"),
        r"unknown part 'validation'; choose one of 'all', 'train', 'test'",
    ),
    "codebook size": (lambda: sources.kmeans_codebook([1.0], 0), r"size is 0; it must be an integer >= 1"),
    "codebook points": (
        lambda: sources.kmeans_codebook(BARE, 1),
        r"source has no points to cluster; pass points=",
    ),
}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        pytest.param(*case, id=f"{group}: {name}")
        for group, cases in [
            ("source", SOURCES),
            ("distortion", DISTORTIONS),
            ("limit", LIMITS),
            ("problem", PROBLEMS),
            ("parameter", PARAMETERS),
        ]
        for name, case in cases.items()
    ],
)
def test_refused_with_value_and_cure(statement, message):
    with pytest.raises(InvalidInput, match=message):
        statement()


def test_a_forbidden_symbol_of_zero_mass_is_no_error():
    assert Problem.from_arrays([1.0, 0.0], [[0.0, 1.0], [INF, INF]]).n_letters == 2


def test_one_limit_needs_no_list():
    assert Problem(COIN, limits=DistortionLimit(0.1)).bounds.tolist() == [0.1]
