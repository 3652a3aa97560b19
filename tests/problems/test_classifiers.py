"""Fixed classifiers of every kind state the same losses, which are computed here by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import rdcsolve as rdc
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import ClassifierLossLimit

CLASSES = ("ant", "bee", "cat")
POINTS = np.arange(6.0)[:, None]
LABEL = np.array([[0.8, 0.1, 0.1], [0.5, 0.5, 0], [0.1, 0.8, 0.1], [0, 1, 0], [0, 0.2, 0.8], [0.1, 0, 0.9]])
SOURCE = rdc.Source(POINTS, np.full(6, 1 / 6), [LABEL], classes=CLASSES, label_names=["animal"])
LOGITS = np.array([[2.0, 0.5, -1.0], [1, 1, 0], [0, 2, 0], [-1, 1, 0], [-2, 0.5, 1], [0, 0, 3]])
SOFT = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)


def losses(classifier, source=SOURCE, **options):
    return ClassifierLossLimit(1.0, classifier, **options).matrix(source, source.points)


def cross_entropies(decisions, label=LABEL):
    return np.array(
        [[-sum(w * math.log(c) for w, c in zip(row, c_a, strict=True) if w) for c_a in decisions] for row in label]
    )


def test_tables_functions_frames_and_logits_state_one_loss():
    right = cross_entropies(SOFT)
    shuffled = pd.DataFrame({"cat": SOFT[:, 2], "ant": SOFT[:, 0], "bee": SOFT[:, 1]})
    stated = {
        "table": losses(SOFT),
        "float32": losses(SOFT.astype(np.float32)),
        "function": losses(lambda y: SOFT[y[:, 0].astype(int)]),
        "columns by name": losses(shuffled),
        "function of columns by name": losses(lambda y: shuffled),
        "named columns": losses(SOFT[:, ::-1], classes=CLASSES[::-1]),
        "unnamed frame": losses(pd.DataFrame(SOFT)),
        "logits": losses(LOGITS, output="logits"),
        "log-probabilities": losses(np.log(SOFT), output="logits"),
        "counts": losses(SOFT * 7, normalise=True),
        "label by name": losses(SOFT, label="animal"),
    }
    for name, matrix in stated.items():
        assert np.allclose(matrix, right, rtol=1e-6 if name == "float32" else 1e-14, atol=0), name


@given(st.lists(st.sampled_from(CLASSES), min_size=6, max_size=6))
def test_hard_predictions_state_one_loss_by_name_and_by_place(predicted):
    places = [CLASSES.index(one) for one in predicted]
    right = 1.0 - LABEL[:, places]
    unnamed = rdc.Source(POINTS, SOURCE.p_x, [LABEL])
    for hold in (list, np.array, pd.Series, lambda v: np.array(v)[:, None]):
        assert np.allclose(losses(hold(predicted), loss="error_rate"), right, rtol=0, atol=1e-15)
        assert np.allclose(losses(hold(places), unnamed, loss="error_rate"), right, rtol=0, atol=1e-15)
    assert np.array_equal(losses(predicted), np.where(LABEL[:, places] < 1, math.inf, 0.0))


@pytest.mark.parametrize("estimator", [LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression())])
def test_an_estimator_is_asked_by_class(estimator):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 6, 300)
    s = np.array([CLASSES[rng.choice(3, p=LABEL[i])] for i in x])
    own = estimator.fit(x[:, None].astype(float), s)
    reverse = rdc.Source(POINTS, SOURCE.p_x, [LABEL[:, ::-1]], classes=CLASSES[::-1])
    soft = own.predict_proba(POINTS)  # its classes are sorted
    assert np.allclose(losses(own), cross_entropies(soft))
    assert np.allclose(losses(own, reverse), cross_entropies(soft))
    hard = [CLASSES.index(one) for one in own.predict(POINTS)]
    assert np.allclose(losses(own, loss="error_rate"), 1 - LABEL[:, hard])
    assert np.allclose(losses(own, reverse, loss="error_rate"), 1 - LABEL[:, hard])


def test_an_estimator_without_probabilities_counts_errors_only():
    own = RidgeClassifier().fit(POINTS, ["ant", "ant", "bee", "bee", "cat", "cat"])
    hard = [CLASSES.index(one) for one in own.predict(POINTS)]
    assert np.allclose(losses(own, loss="error_rate"), 1 - LABEL[:, hard])
    with pytest.raises(InvalidInput, match="has no predict_proba .*; pass loss='error_rate', or calibrate it"):
        losses(own)


def test_a_module_of_torch_is_asked_in_evaluation_mode_and_left_as_it_was():
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self, head):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))
            self.drop, self.head = torch.nn.Dropout(0.9), head

        def forward(self, x):
            return self.head(self.drop(torch.as_tensor(LOGITS, dtype=x.dtype)[x[:, 0].long()] * self.scale))

    for head in (torch.nn.Identity(), torch.nn.Softmax(dim=1), torch.nn.LogSoftmax(dim=1)):
        net = Net(head)
        assert np.allclose(losses(net), cross_entropies(SOFT), rtol=1e-5)
        assert net.training
        assert np.allclose(losses(net.double()), cross_entropies(SOFT), rtol=1e-13)
    one = Net(lambda z: z[:, :1])
    with pytest.raises(InvalidInput, match="say whether that is the probability or the logit of the second class"):
        losses(one)
    two = rdc.Source(POINTS, SOURCE.p_x, [np.stack([LABEL[:, 0], 1 - LABEL[:, 0]], axis=1)])
    share = 1 / (1 + np.exp(-LOGITS[:, 0]))
    stated = losses(one, two, output="logits")
    assert np.allclose(stated, cross_entropies(np.stack([1 - share, share], axis=1), two.labels[0]), rtol=1e-5)


def test_one_column_is_the_probability_of_the_second_of_two_classes():
    label = np.stack([LABEL[:, 0], 1 - LABEL[:, 0]], axis=1)
    shares = np.array([0.1, 0.3, 0.5, 0.7, 0.9, 0.95])
    right = cross_entropies(np.stack([1 - shares, shares], axis=1), label)
    for classes in (None, (0, 1), ("no", "yes"), (False, True)):
        source = rdc.Source(POINTS, SOURCE.p_x, [label], classes=classes)
        for held in (shares, shares[:, None], pd.Series(shares), lambda y: shares):
            assert np.allclose(losses(held, source), right, rtol=1e-14, atol=0)
    with pytest.raises(InvalidInput, match="one column, which decides between 2 classes, but label 0 has 3"):
        losses(shares)


def test_a_column_that_may_be_classes_or_probabilities_is_asked_about():
    label = np.stack([LABEL[:, 0], 1 - LABEL[:, 0]], axis=1)
    source = rdc.Source(POINTS, SOURCE.p_x, [label], classes=(1, 2))
    ones = np.ones(6)
    with pytest.raises(InvalidInput, match="is a class of label 0 as well as a probability of 2; say which"):
        losses(ones, source, loss="error_rate")
    assert np.allclose(losses(ones, source, loss="error_rate", output="classes"), 1 - label[:, [0] * 6])
    assert np.allclose(losses(ones, source, loss="error_rate", output="probabilities"), 1 - label[:, [1] * 6])
    assert np.allclose(losses(ones.astype(int), source, loss="error_rate"), 1 - label[:, [0] * 6])


REFUSED = {
    "a class": (LogisticRegression, {}, "is a class; pass a fitted instance of it"),
    "not fitted": (LogisticRegression(), {}, "cannot decide at the 6 letters of dimension 1 .*; pass a fitted one"),
    "unknown class": (["ant"] * 5 + ["dog"], {}, r"decides for 'dog' but the classes of label 0 are .'ant', 'bee'"),
    "unknown column": (pd.DataFrame(SOFT, columns=["ant", "bee", "x"]), {}, "class 'x', which label 0 does not have"),
    "too many names": (SOFT, {"classes": ["ant", "bee"]}, "has 3 columns but 2 classes are named; name one each"),
    "infinite logits": (np.where(LOGITS > 2.5, np.inf, LOGITS), {"output": "logits"}, "logits must be numbers < inf"),
    "unknown output": (SOFT, {"output": "soft"}, "unknown output of a classifier 'soft'; choose one of"),
    "sums": (SOFT * 1.01, {}, r"row 0 of classifier sums to 1\.01; divide each row by its sum, or take a softmax"),
    "a missing class": (["ant", None, "bee", "cat", "cat", "ant"], {}, r"classifier\[1\] is None; drop"),
}  # fmt: skip


@pytest.mark.parametrize(("classifier", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(classifier, options, message):
    with pytest.raises(InvalidInput, match=message):
        losses(classifier, **options)


def test_a_classifier_with_names_needs_a_label_with_names():
    bare = rdc.Source(POINTS, SOURCE.p_x, [LABEL])
    with pytest.raises(InvalidInput, match="those of label 0 have no names; pass classes= to Source"):
        losses(pd.DataFrame(SOFT, columns=CLASSES), bare)


def test_classes_are_kept_in_the_order_stated_and_those_not_seen_too():
    source = rdc.Source.from_samples([0, 1, 1], labels=["b", "a", "b"], classes=["b", "c", "a"])
    assert source.classes == (("b", "c", "a"),)
    assert source.labels[0].tolist() == [[1, 0, 0], [0.5, 0, 0.5]]
    with pytest.raises(InvalidInput, match="label 0 of sample 1 is 'a', which classes= does not name"):
        rdc.Source.from_samples([0, 1, 1], labels=["b", "a", "b"], classes=["b", "c"])
    with pytest.raises(InvalidInput, match="the classes of label 0 name 'a' twice; keep one"):
        rdc.Source(None, [1.0], [[[0.5, 0.5]]], classes=["a", "a"])
    with pytest.raises(InvalidInput, match="label 0 has 2 columns but classes= names 1"):
        rdc.Source(None, [1.0], [[[0.5, 0.5]]], classes=["a"])
