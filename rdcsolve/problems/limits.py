"""What a user may limit: the distortion, a label's entropy, a classifier's loss, any linear loss, the rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.information import entropy, nats_to_bits
from rdcsolve.problems.classifiers import OUTPUTS, Classifier, Decided, decision_table
from rdcsolve.problems.distortions import function_name
from rdcsolve.problems.losses import LabelEntropy, log_loss, loss_name
from rdcsolve.problems.perception import PerceptionLimit
from rdcsolve.problems.source import Source, label_index, losses_between
from rdcsolve.problems.structures import LossStructure, is_structure, structure_of
from rdcsolve.problems.validation import freeze, loss_bound, loss_matrix, one_of, rate_bound, upper_bound
from rdcsolve.reading import hashable_values


def _described(what: Any) -> str:
    if isinstance(what, (str, LossStructure)):
        return repr(what)
    return function_name(what) if callable(what) else f"{what.shape[0]} x {what.shape[1]}"


def _set_bound(limit: Any, check: Callable[[Any, str], float] = loss_bound) -> None:
    object.__setattr__(limit, "bound", check(limit.bound, f"the bound of {type(limit).__name__}"))


def _set_array(limit: Any, field: str, name: str) -> None:
    value = getattr(limit, field)
    if is_structure(value):
        object.__setattr__(limit, field, structure_of(value, name))
    elif not isinstance(value, str) and not callable(value):
        object.__setattr__(limit, field, loss_matrix(value, name))


@public_call
@dataclass(frozen=True, eq=False, repr=False)
class DistortionLimit:
    """E d(X, A) <= bound.

    Parameters
    ----------
    bound : float
        A real number, or inf, which declares the loss without limiting it.
    distortion : str, array_like, callable or LossStructure, optional
        See `distortion_matrix`, and `Loss` for losses that are not stored. By default the limit is on the problem's own
        distortion.
    name : str, optional
        Name of the loss; a limit with its own `distortion` needs a name other than ``"distortion"``.
    """

    bound: float
    distortion: Any = None
    name: str = "distortion"

    def __post_init__(self) -> None:
        _set_bound(self)
        loss_name(self.name)
        if self.distortion is None:
            if self.name != "distortion":
                raise InvalidInput(
                    f"a DistortionLimit named {self.name!r} has no distortion of its own; "
                    "pass distortion=, or leave out name="
                )
            return
        if self.name == "distortion":
            raise InvalidInput(
                "a DistortionLimit with its own distortion= is named 'distortion', like the problem's own; "
                "give it another name="
            )
        _set_array(self, "distortion", f"loss '{self.name}'")

    def matrix(self, source: Source, reproduction: np.ndarray | None) -> np.ndarray | LossStructure | None:
        """Return the (n_x, n_y) losses, or None for the problem's own distortion."""
        if self.distortion is None:
            return None
        losses: np.ndarray | LossStructure = losses_between(
            self.distortion, source, reproduction, f"loss '{self.name}'"
        )
        return losses

    def __repr__(self) -> str:
        if self.distortion is None:
            return f"DistortionLimit({self.bound:.6g})"
        return f"DistortionLimit({self.bound:.6g}, {_described(self.distortion)}, name={self.name!r})"


CLASSIFIER_LOSSES = ("cross_entropy", "error_rate")
"""The losses of a classifier that can be asked for by name."""


@public_call
@dataclass(frozen=True, eq=False, repr=False)
class ClassifierLossLimit:
    """E loss(S_label, c(A)) <= bound for a fixed classifier c.

    Parameters
    ----------
    bound : float
        Nats for the cross-entropy (or bits, in a problem whose `unit` is the bit), a probability for the error rate;
        inf declares the loss without limiting it.
    classifier : array_like, callable, estimator or module
        The soft decisions c(s | letter), shape (n_y, n_s) with rows summing to one. Or the class of each letter, shape
        (n_y,): integers, strings, ...; or real numbers of that shape, the probability of the second of two classes.
        Or what returns one of these for points (n_y, dim): a function, a fitted classifier of scikit-learn, or a module
        of torch, whose rows are taken for logits unless they sum to one.
    loss : {"cross_entropy", "error_rate"}, optional
        -log c(S | A), or 1 when S differs from the most likely class (the first of equals) and 0 otherwise. The error
        rate of an estimator is that of its ``predict``.
    label : int or str, optional
        Which of the source's labels is classified, by number or name.
    name : str, optional
        Name of the loss.
    normalise : bool, optional
        Rescale the rows to sum to one. Without it a sum further from one than rounding explains is an error.
    output : {"probabilities", "logits", "classes"}, optional
        What the classifier puts out, where the type does not tell.
    classes : sequence, optional
        What its columns are called, in order; by default the columns of a frame, and ``classes_`` of an estimator.
        Columns with names are put into the order of the label's classes.

    Notes
    -----
    With w(s | x) the label's conditional, the loss of letter a at symbol x is -sum_s w(s | x) log c(s | a),
    or 1 - w(argmax_s c(s | a) | x). A decision that excludes a class of positive conditional mass costs +inf
    in cross-entropy, which forbids that letter to that symbol.
    """

    bound: float
    classifier: Any
    loss: str = "cross_entropy"
    label: int | str = 0
    name: str = "classifier_loss"
    normalise: bool = False
    output: str | None = None
    classes: Any = None

    @property
    def is_information(self) -> bool:
        """Whether the loss is an amount of information, in nats."""
        return self.loss == "cross_entropy"

    def __post_init__(self) -> None:
        _set_bound(self, upper_bound)
        loss_name(self.name)
        one_of(self.loss, CLASSIFIER_LOSSES, "classifier loss")
        if self.output is not None:
            one_of(self.output, OUTPUTS, "output of a classifier")
        if self.classes is not None:
            object.__setattr__(self, "classes", hashable_values(self.classes, "classes", "class number"))
        stated = self._stated
        if not stated.needs_letters:
            object.__setattr__(self, "_decided", stated.of_table(self.classifier, "classifier"))

    def matrix(self, source: Source, reproduction: np.ndarray | None) -> np.ndarray:
        """Return the (n_x, n_y) losses."""
        label = label_index(source, self.label, self.name)
        conditional = source.labels[label]
        decided = self._resolved(reproduction)
        decisions = decision_table(decided, source.classes[label], conditional.shape[1], label)
        rule = log_loss if self.loss == "cross_entropy" else _error_rate
        return freeze(rule(conditional, decisions))

    @property
    def _stated(self) -> Classifier:
        is_hard = self.loss == "error_rate" and self.output is None
        return Classifier(self.classifier, self.output, self.classes, self.normalise, is_hard)

    def _resolved(self, reproduction: np.ndarray | None) -> Decided:
        if not self._stated.needs_letters:
            decided: Decided = self._decided  # type: ignore[attr-defined]
            return decided
        if reproduction is None:
            raise InvalidInput(
                f"classifier of '{self.name}' is a function but there are no reproduction points; "
                "pass reproduction=, or the classifier's table (n_y, n_s)"
            )
        return self._stated.at(reproduction)

    def _described(self) -> str:
        if self._stated.needs_letters:
            return function_name(self.classifier)
        decided = self._resolved(None)
        if decided.table is None:
            return f"classes of {len(decided.values or ())} letters"
        return f"{decided.table.shape[0]} x {decided.table.shape[1]}"

    def __repr__(self) -> str:
        parts = [f"{self.bound:.6g}", self._described(), repr(self.loss)]
        parts += [f"label={self.label!r}"] if self.label else []
        parts += [f"name={self.name!r}"] if self.name != "classifier_loss" else []
        return f"ClassifierLossLimit({', '.join(parts)})"


def _error_rate(conditional: np.ndarray, decisions: np.ndarray) -> np.ndarray:
    """Return 1 - w(argmax_s c(s | a) | x)."""
    return np.maximum(1.0 - conditional[:, decisions.argmax(axis=1)], 0.0)


@public_call
@dataclass(frozen=True, eq=False, repr=False)
class LabelEntropyLimit:
    """H(S_label | A) <= bound: what the letter leaves unknown about the label (the paper's Definition 1).

    Parameters
    ----------
    bound : float
        In [0, inf], in the problem's `unit`: nats, if not said otherwise; inf declares the label's entropy without
        limiting it.
    label : int or str, optional
        Which of the source's labels, by number or name.
    name : str, optional
        Name of the loss; by default ``"label_entropy"`` for label 0, ``"label_entropy_1"`` for label 1, ...
    """

    bound: float
    label: int | str = 0
    name: str = ""

    def __post_init__(self) -> None:
        _set_bound(self, upper_bound)
        if not self.name:
            object.__setattr__(self, "name", "label_entropy" if self.label == 0 else f"label_entropy_{self.label}")
        loss_name(self.name)

    def loss(self, source: Source) -> LabelEntropy:
        """Return the label's entropy as a loss of the source."""
        label = label_index(source, self.label, self.name)
        return LabelEntropy(self.name, source.labels[label], label)

    def __repr__(self) -> str:
        return f"LabelEntropyLimit({self.bound:.6g}, label={self.label!r}, name={self.name!r})"


@public_call
@dataclass(frozen=True)
class InformationLimit:
    """I(S_label; A) >= bound: how much of a label the letter has to tell, the relevance of an information bottleneck.

    The same statement as a `LabelEntropyLimit` of H(S) - bound, which is what the problem holds.

    Parameters
    ----------
    bound : float
        In [0, H(S)], in the problem's `unit`: nats, if not said otherwise. Zero declares the label and limits nothing.
    label : int or str, optional
        Which of the source's labels, by number or name.
    name : str, optional
        Name of the loss; see `LabelEntropyLimit`.

    Examples
    --------
    >>> InformationLimit(0.25)
    InformationLimit(bound=0.25, label=0, name='')
    """

    bound: float
    label: int | str = 0
    name: str = ""

    def __post_init__(self) -> None:
        _set_bound(self, upper_bound)

    def entropy_limit(self, source: Source, unit: str) -> LabelEntropyLimit:
        """Return the limit on the label's entropy that says the same, its bound in the unit.

        Raises
        ------
        InvalidInput
            If the bound is more than the label's own entropy.
        """
        number = label_index(source, self.label, self.name or "label_entropy")
        known = entropy(np.asarray(source.p_x) @ source.labels[number])
        most = nats_to_bits(known) if unit == "bit" else known
        if self.bound > most:
            raise InvalidInput(
                f"the letter is to tell {self.bound:.6g} {unit} of label {self.label!r}, which has an entropy of only "
                f"{most:.6g} {unit}; lower the bound"
            )
        bound = most - self.bound if self.bound else math.inf
        return LabelEntropyLimit(bound, self.label, self.name)


@public_call
@dataclass(frozen=True, eq=False, repr=False)
class LossLimit:
    """E L(X, A) <= bound for any linear loss L, or E L(X, A) = bound.

    Parameters
    ----------
    bound : float
        A real number, or inf, which declares the loss without limiting it.
    loss : str, array_like, callable or LossStructure
        The matrix L of shape (n_x, n_y), or anything else that `distortion_matrix` or `Loss` accepts.
    name : str
        Name of the loss.
    is_information : bool, optional
        Whether L is in nats, as a log-loss is. Its bound and its mean are then in the problem's `unit`.
    equal : bool, optional
        Whether the mean is to equal the bound. The multiplier of such a limit may have either sign: minus the slope of
        the least rate in the bound, which then need not fall. It stays an equality under other bounds, see
        `Problem.with_limits`.

    Examples
    --------
    >>> LossLimit(0.25, [[0, 1], [0, 1]], "ones", equal=True)  # half of a law: the second letter has mass 0.25
    LossLimit(0.25, 2 x 2, 'ones', equal=True)
    """

    bound: float
    loss: np.ndarray | str | Callable[..., Any] | LossStructure
    name: str
    is_information: bool = False
    equal: bool = False

    def __post_init__(self) -> None:
        _set_bound(self)
        loss_name(self.name)
        if not isinstance(self.equal, (bool, np.bool_)):
            raise InvalidInput(f"equal of LossLimit {self.name!r} is {self.equal!r}; give True or False")
        object.__setattr__(self, "equal", bool(self.equal))
        _set_array(self, "loss", f"loss '{self.name}'")

    def matrix(self, source: Source, reproduction: np.ndarray | None) -> np.ndarray | LossStructure:
        """Return the (n_x, n_y) losses."""
        losses: np.ndarray | LossStructure = losses_between(self.loss, source, reproduction, f"loss '{self.name}'")
        return losses

    def __repr__(self) -> str:
        equal = ", equal=True" if self.equal else ""
        return f"LossLimit({self.bound:.6g}, {_described(self.loss)}, {self.name!r}{equal})"


@public_call
@dataclass(frozen=True)
class RateLimit:
    """I(X; A) <= bound: what makes minimising a loss a question.

    Parameters
    ----------
    bound : float
        In [0, inf), in the problem's `unit`: nats, if not said otherwise.
    """

    bound: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "bound", rate_bound(self.bound))

    def __repr__(self) -> str:
        return f"RateLimit({self.bound:.6g})"


LossBearing = DistortionLimit | ClassifierLossLimit | LossLimit
Limit = LossBearing | LabelEntropyLimit | InformationLimit | PerceptionLimit | RateLimit
