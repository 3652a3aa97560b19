"""The experiment of the paper's Figure 6 as a list of training runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rdcsolve.data.arguments import count
from rdcsolve.errors import InvalidInput
from rdcsolve.neural.losses import Weights
from rdcsolve.neural.presets import Preset, preset_from, preset_of
from rdcsolve.neural.quantiser import Quantiser
from rdcsolve.problems.validation import one_of

CONVENTIONAL, LOW_CROSS_ENTROPY, LOW_DISTORTION = "conventional", "low cross-entropy", "low distortion"
"""Kinds of runs: both ends trained together, or a new decoder for the encoder that was trained for the largest
lambda_c, or for the least."""


_APART = 1000
"""What a decoder's seed is above its encoder's, so that it does not start from what the encoder was trained with."""


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes
    ----------
    name : str
        Also of its files.
    kind : str
        `CONVENTIONAL`, `LOW_CROSS_ENTROPY` or `LOW_DISTORTION`.
    weights : Weights
    seed : int
    encoder : str or None
        Name of the run whose encoder is reused.
    """

    name: str
    kind: str
    weights: Weights
    seed: int
    encoder: str | None = None

    @property
    def repetition(self) -> int:
        """Which of the experiment's seeds it belongs to, from 0."""
        return self.seed % _APART


@dataclass(frozen=True)
class Experiment:
    """Conventional systems over a list of lambda_c, and universal decoders for two of their encoders.

    Parameters
    ----------
    dataset : {"mnist", "fashion-mnist", "any"}, optional
    preset : str or Preset, optional
    dimension, levels : int, optional
        h and L: the rate is at most h log L.
    lambdas_c : sequence of float, optional
        At least two; the encoders reused are those of the least and the largest.
    lambda_p : float or sequence of float, optional
        Weights of the Wasserstein term in the runs that have one, a family of runs for each; zeros are left out.
    lambdas_c_with_w1 : sequence of float, optional
        lambda_c of the runs with a Wasserstein term.
    lambdas_c_repeated : sequence of float, optional
        lambda_c of the runs that are repeated with other seeds; with a Wasserstein term those of them that
        `lambdas_c_with_w1` has, if there are two or more.
    n_seeds : int, optional
        How often those are run.
    """

    dataset: str = "mnist"
    preset: Preset = preset_of("cpu")
    dimension: int = 3
    levels: int = 3
    lambdas_c: tuple[float, ...] = (0.0, 0.001, 0.0033, 0.0066, 0.008, 0.011, 0.013, 0.015)
    lambda_p: tuple[float, ...] = (0.005,)
    lambdas_c_with_w1: tuple[float, ...] = (0.0, 0.0033, 0.008, 0.015)
    lambdas_c_repeated: tuple[float, ...] = (0.0, 0.0033, 0.015)
    n_seeds: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "preset", preset_of(self.preset))
        for name in ("lambdas_c", "lambdas_c_with_w1", "lambdas_c_repeated"):
            values = _sorted(getattr(self, name), name)
            object.__setattr__(self, name, values)
            for value in values:
                Weights(lambda_c=value)
            if values and len(values) < 2:
                raise InvalidInput(f"{name} is {values}; give at least two values, or none")
        given = self.lambda_p if hasattr(self.lambda_p, "__iter__") else (self.lambda_p,)
        weights = [Weights(lambda_p=value).lambda_p for value in _sorted(given, "lambda_p")]
        object.__setattr__(self, "lambda_p", tuple(value for value in weights if value > 0))
        object.__setattr__(self, "n_seeds", count(self.n_seeds, "n_seeds"))
        if self.n_seeds > _APART:
            raise InvalidInput(f"n_seeds is {self.n_seeds}; take at most {_APART}")
        one_of(self.dataset, ("mnist", "fashion-mnist", "any"), "dataset")
        if not self.lambdas_c:
            raise InvalidInput("lambdas_c is empty; give at least two values")
        ends = {self.lambdas_c[0], self.lambdas_c[-1]}
        if self.n_seeds > 1 and not ends <= set(self.lambdas_c_repeated) <= set(self.lambdas_c):
            raise InvalidInput(
                f"lambdas_c_repeated is {self.lambdas_c_repeated}; take them from lambdas_c, with its least and largest"
            )
        quantiser = Quantiser(self.dimension, self.levels)
        object.__setattr__(self, "dimension", quantiser.dimension)
        object.__setattr__(self, "levels", quantiser.levels)

    @property
    def quantiser(self) -> Quantiser:
        """What fixes the rate."""
        return Quantiser(self.dimension, self.levels, self.preset.is_dithered)

    def runs(self) -> list[Run]:
        """Return all runs, each after the one whose encoder it reuses."""
        families = [(0.0, self.lambdas_c, 0)]
        families += [(0.0, self.lambdas_c_repeated, seed) for seed in range(1, self.n_seeds)]
        repeated = tuple(sorted(set(self.lambdas_c_repeated) & set(self.lambdas_c_with_w1)))
        for lambda_p in self.lambda_p:
            families.append((lambda_p, self.lambdas_c_with_w1, 0))
            families += [(lambda_p, repeated, seed) for seed in range(1, self.n_seeds) if len(repeated) > 1]
        return [run for lambda_p, lambdas_c, seed in families for run in _family(lambdas_c, lambda_p, seed)]

    def described(self) -> dict[str, Any]:
        """Return the experiment as numbers, texts and lists."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> Experiment:
        """Return the experiment of `described`, after a passage through JSON.

        Raises
        ------
        InvalidInput
            If it is none.
        """
        try:
            return cls(**{**description, "preset": preset_from(description["preset"])})
        except (TypeError, KeyError, AttributeError) as error:
            raise InvalidInput(f"this describes no experiment: {type(error).__name__} {error}") from error


def _sorted(values: Any, name: str) -> tuple[float, ...]:
    """Return different numbers in their order."""
    try:
        return tuple(sorted({float(value) for value in values}))
    except (TypeError, ValueError):
        raise InvalidInput(f"{name} is {values!r}; give a list of numbers") from None


def _short(value: float) -> str:
    """Return the shortest text that is this number and no other."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def _family(lambdas_c: tuple[float, ...], lambda_p: float, seed: int) -> list[Run]:
    """Return the runs of one seed: conventional ones, the two encoders to reuse first, then universal decoders."""
    tail = f"p{_short(lambda_p)}_s{seed}"
    if not lambdas_c:
        return []
    least, *inner, largest = lambdas_c
    conventional = {c: f"conventional_c{_short(c)}_{tail}" for c in (largest, least, *inner)}
    runs = [Run(name, CONVENTIONAL, Weights(1.0, c, lambda_p), seed) for c, name in conventional.items()]
    for kind, at in ((LOW_CROSS_ENTROPY, largest), (LOW_DISTORTION, least)):
        for c in lambdas_c:
            name = f"universal_c{_short(c)}_{tail}_on_c{_short(at)}"
            runs.append(Run(name, kind, Weights(1.0, c, lambda_p), seed + _APART, conventional[at]))
    return runs
