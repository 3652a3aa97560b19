"""What a classifier decides at letters, as a table p(s | letter): from a table, a function, an estimator, a module."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems.distortions import function_name
from rdcsolve.problems.samples import column_names
from rdcsolve.problems.validation import MASS_TOLERANCE, freeze, mass_rows, sum_tolerance
from rdcsolve.reading import Reading, as_floats, distinct, hashable_values, read

OUTPUTS = ("probabilities", "logits", "classes")
"""What a classifier may put out."""

_CURE = "divide each row by its sum, or take a softmax: normalise=True, or output='logits'"
_NEARLY = 0.1  # rows of numbers in [0, 1] that miss one by less look like probabilities that went wrong


class Decided(NamedTuple):
    """What a classifier says at letters, before the label is known.

    Attributes
    ----------
    table : numpy.ndarray or None
        Probabilities, shape (n_y, k); one column for the probability of the second of two classes.
    values : list or None
        In place of a table: the class of each letter, n_y values.
    classes : list or None
        What the k columns are called.
    name : str
        Of the classifier, for messages.
    is_guess : bool
        Whether one column of real numbers is taken for probabilities without having been called so.
    """

    table: np.ndarray | None
    values: list[Any] | None
    classes: list[Any] | None
    name: str
    is_guess: bool = False


class Classifier(NamedTuple):
    """A fixed classifier as stated, of whatever kind.

    Attributes
    ----------
    source : Any
        A table, a function of letters, an estimator of scikit-learn, or a module of torch.
    output : str or None
        One of `OUTPUTS`; None to have it told by the type.
    classes : list or None
        What its columns are called.
    normalise : bool
        Whether rows are rescaled to sum to one.
    hard : bool
        Whether only the class decided for counts, as in the error rate.
    """

    source: Any
    output: str | None
    classes: list[Any] | None
    normalise: bool
    hard: bool

    @property
    def needs_letters(self) -> bool:
        """Whether it is asked for letters, rather than stated as a table of them."""
        return callable(self.source) or is_estimator(self.source)

    def at(self, reproduction: np.ndarray) -> Decided:
        """Return what it decides at letters, shape (n_y, dim)."""
        name = f"classifier {function_name(self.source)}"
        if isinstance(self.source, type):
            raise InvalidInput(f"{name} is a class; pass a fitted instance of it, or a table (n_y, n_s)")
        if is_estimator(self.source):
            decided = self._of_estimator(reproduction, name)
        elif is_module(self.source):
            decided = self._of_module(reproduction, name)
        else:
            decided = self.of_table(self.source(reproduction), name)
        rows = len(decided.values) if decided.table is None else decided.table.shape[0]  # type: ignore[arg-type]
        if rows != reproduction.shape[0]:
            shape = (rows,) if decided.table is None else decided.table.shape
            raise InvalidInput(
                f"{name} has shape {shape}; it needs {reproduction.shape[0]} rows, one distribution each: "
                f"({reproduction.shape[0]}, k)"
            )
        return decided

    def of_table(self, value: Any, name: str) -> Decided:
        """Return what a table states: one row of probabilities, or one class, per letter."""
        reading = read(value, name)
        classes = self.classes if self.classes is not None else column_names(value)
        entries = reading.entries
        if entries.ndim == 2 and entries.shape[1] == 1:
            entries = entries[:, 0]
        is_column = entries.ndim == 1 and entries.size > 0
        output = self.output or ("classes" if is_column and entries.dtype.kind not in "f" else "probabilities")
        if output == "classes":
            if not is_column:
                raise InvalidInput(f"{name} has shape {reading.entries.shape}; give one class per letter, shape (n_y,)")
            return Decided(None, hashable_values(entries, name, f"{name}: letter"), classes, name)
        if output == "logits":
            return Decided(_softmax(as_floats(reading, name), name), None, classes, name)
        if is_column:
            return Decided(_column(Reading(entries, reading.epsilon), name), None, None, name, self.output is None)
        return Decided(mass_rows(value, name, None, normalise=self.normalise, cure=_CURE), None, classes, name)

    def _of_estimator(self, letters: np.ndarray, name: str) -> Decided:
        own = self.source
        hard = self.hard or self.output == "classes"
        if not hard and not hasattr(own, "predict_proba"):
            raise InvalidInput(
                f"{name} has no predict_proba and decides for one class, where the cross-entropy is infinite; pass "
                "loss='error_rate', or calibrate it"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", UserWarning
                )  # that points have no names, where it was fitted on a frame
                decided = own.predict(letters) if hard and hasattr(own, "predict") else own.predict_proba(letters)
        except Exception as error:  # of the estimator's own: not fitted, another dimension, ...
            raise InvalidInput(
                f"{name} cannot decide at the {letters.shape[0]} letters of dimension {letters.shape[1]} ({error}); "
                "pass a fitted one for such points, or a function of them"
            ) from error
        if hard and hasattr(own, "predict"):
            return Decided(None, hashable_values(decided, name, f"{name}: letter"), None, name)
        classes = self.classes if self.classes is not None else list(getattr(own, "classes_", [])) or None
        if classes is not None:
            classes = hashable_values(classes, f"the classes of {name}", "class number")
        rows = mass_rows(decided, name, letters.shape[0], normalise=self.normalise, cure=_CURE)
        return Decided(rows, None, classes, name)

    def _of_module(self, letters: np.ndarray, name: str) -> Decided:
        reading = _asked(self.source, letters, name)
        entries = reading.entries
        if self.output is not None:
            return self.of_table(entries, name)
        if entries.ndim != 2 or entries.shape[1] == 1:
            raise InvalidInput(
                f"{name} puts out shape {entries.shape}; say whether that is the probability or the logit of the "
                "second class: output='probabilities' or output='logits'"
            )
        floats = as_floats(reading, name)
        off = np.abs(floats.sum(axis=1) - 1.0).max(initial=0.0)
        is_share = bool(((floats >= 0) & (floats <= 1)).all())
        if is_share and (self.normalise or off <= sum_tolerance(reading.epsilon, floats.shape[1])):
            return Decided(mass_rows(entries, name, None, normalise=True), None, self.classes, name)
        if is_share and off < _NEARLY:
            raise InvalidInput(
                f"{name} puts out rows that nearly sum to one (off by {off:.2g}); say what they are: "
                "output='probabilities' with normalise=True, or output='logits'"
            )
        return Decided(_softmax(floats, name), None, self.classes, name)


def is_estimator(value: Any) -> bool:
    """Return whether a value is a classifier of scikit-learn's kind."""
    if isinstance(value, type):
        return False
    return hasattr(value, "predict_proba") or (hasattr(value, "predict") and hasattr(value, "classes_"))


def is_module(value: Any) -> bool:
    """Return whether a value is a module of torch."""
    return all(hasattr(value, method) for method in ("forward", "parameters", "train", "eval"))


def decision_table(decided: Decided, classes: tuple[Any, ...] | None, n_classes: int, label: int) -> np.ndarray:
    """Return p(s | letter), shape (n_y, n_s), with columns in the order of the label's classes.

    Parameters
    ----------
    decided : Decided
    classes : tuple or None
        What the classes of the label are called, None if they have no names.
    n_classes : int
        How many there are.
    label : int
        Which label, for messages.

    Raises
    ------
    InvalidInput
        If it decides between other classes than the label has.
    """
    if decided.values is not None:
        return _one_hot(decided.values, classes, n_classes, decided.name, label)
    table = decided.table
    assert table is not None
    if table.shape[1] == 1 and n_classes != 1:
        if n_classes != 2:
            raise InvalidInput(
                f"{decided.name} is one column, which decides between 2 classes, but label {label} has {n_classes}; "
                "give it one column per class"
            )
        if decided.is_guess and classes not in (None, (0, 1)) and set(table[:, 0].tolist()) <= set(classes):
            raise InvalidInput(
                f"{decided.name} is one column of real numbers, each of which is a class of label {label} as well as a "
                f"probability of {classes[1]!r}; say which: output='classes' or output='probabilities'"
            )
        return freeze(np.hstack([1.0 - table, table]))
    if table.shape[1] == 1 and not np.all(table > 1.0 - MASS_TOLERANCE):
        raise InvalidInput(
            f"{decided.name} decides between 2 classes but label {label} has 1; give it one column of ones"
        )
    names = decided.classes
    if names is not None and not (classes is None and _is_numbered(names)) and not _are_places(names, classes):
        return _by_name(table, names, classes, decided.name, label)
    if table.shape[1] != n_classes:
        raise InvalidInput(
            f"{decided.name} decides between {table.shape[1]} classes but label {label} has {n_classes}; give it one "
            "column per class"
        )
    return table


def _is_numbered(names: list[Any]) -> bool:
    return names == list(range(len(names)))


def _are_places(names: list[Any], classes: tuple[Any, ...] | None) -> bool:
    """Return whether columns are called by their places alone, as frames without names call them."""
    if classes is not None and set(names) <= set(classes):
        return False
    return _is_numbered(names) or names == [f"column_{k}" for k in range(len(names))]


def _by_name(table: np.ndarray, names: list[Any], classes: tuple[Any, ...] | None, name: str, label: int) -> np.ndarray:
    if len(names) != table.shape[1]:
        raise InvalidInput(f"{name} has {table.shape[1]} columns but {len(names)} classes are named; name one each")
    if classes is None:
        raise InvalidInput(
            f"{name} decides between the classes {names[:6]} but those of label {label} have no names; pass classes= "
            "to Source, in the order of the columns of p(s | x)"
        )
    place = {value: k for k, value in enumerate(classes)}
    ordered = np.zeros((table.shape[0], len(classes)))
    for k, value in enumerate(names):
        if value in place:
            ordered[:, place[value]] = table[:, k]
        elif table[:, k].any():
            raise InvalidInput(
                f"{name} decides for class {value!r}, which label {label} does not have ({list(classes)[:6]}); name "
                "all classes of the classifier with classes= where the label is given"
            )
    return freeze(ordered)


def _one_hot(values: list[Any], classes: tuple[Any, ...] | None, n_classes: int, name: str, label: int) -> np.ndarray:
    known = tuple(range(n_classes)) if classes is None else classes
    place = {value: k for k, value in enumerate(known)}
    for value in distinct(values):
        if value not in place:
            cure = "pass classes= to Source, or give places 0, 1, ..." if classes is None else "give one of those"
            raise InvalidInput(
                f"{name} decides for {value!r} but the classes of label {label} are {list(known)[:6]}; {cure}"
            )
    return freeze(np.eye(n_classes)[[place[value] for value in values]])


def _column(reading: Reading, name: str) -> np.ndarray:
    """Return probabilities of the second of two classes as one column, shape (n_y, 1)."""
    shares = as_floats(reading, name)
    slack = 4 * reading.epsilon
    bad = np.flatnonzero(~((shares >= -slack) & (shares <= 1 + slack)))
    if bad.size:
        raise InvalidInput(
            f"{name}[{bad[0]}] is {shares[bad[0]]:.6g}; one column is the probability of the second of two classes, in "
            "[0, 1]: or pass output='logits' or output='classes'"
        )
    return freeze(np.clip(shares, 0.0, 1.0)[:, None])


def _softmax(logits: np.ndarray, name: str) -> np.ndarray:
    """Return the softmax of rows of logits; of one column, beside a logit of zero, what the second class gets."""
    if logits.ndim == 1:
        logits = logits[:, None]
    if logits.ndim != 2 or not logits.size:
        raise InvalidInput(f"{name} has shape {logits.shape}; give one row of logits per letter, (n_y, k)")
    if np.isnan(logits).any() or np.isposinf(logits).any() or np.isneginf(logits).all(axis=1).any():
        row = int(np.argmax(~np.isfinite(logits).all(axis=1)))
        raise InvalidInput(
            f"row {row} of {name} holds {logits[row].tolist()[:6]}; logits must be numbers < inf: fix them"
        )
    if logits.shape[1] == 1:
        two = _softmax(np.hstack([np.zeros_like(logits), logits]), name)
        return freeze(two[:, 1:].copy())
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return freeze(powers / powers.sum(axis=1, keepdims=True))


def _asked(module: Any, letters: np.ndarray, name: str) -> Reading:
    """Return what a module of torch puts out at letters, in evaluation mode and without gradients."""
    import torch

    own = next(iter(module.parameters()), None)
    kind = {"dtype": torch.float32} if own is None else {"dtype": own.dtype, "device": own.device}
    was_training = bool(module.training)
    module.eval()
    try:
        with torch.no_grad():
            return read(module(torch.as_tensor(np.array(letters), **kind)), name)
    except InvalidInput:
        raise
    except Exception as error:  # of the module's own: mostly another shape
        raise InvalidInput(
            f"{name} cannot decide at letters of shape {letters.shape} ({error}); pass a function that shapes "
            "them first"
        ) from error
    finally:
        module.train(was_training)
