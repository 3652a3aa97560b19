"""Equality of what was saved and what was loaded."""

import dataclasses

import numpy as np


def assert_same(value, other):
    """Equality to the last bit, NaN included, and of types."""
    if isinstance(value, np.ndarray):
        assert value.shape == other.shape
        assert value.tobytes() == other.tobytes()
    elif dataclasses.is_dataclass(value):
        assert type(value) is type(other)
        for field in dataclasses.fields(value):
            assert_same(getattr(value, field.name), getattr(other, field.name))
    elif isinstance(value, dict):
        assert list(value) == list(other)
        assert_same(tuple(value.values()), tuple(other.values()))
    elif isinstance(value, tuple):
        assert len(value) == len(other)
        for one, two in zip(value, other, strict=True):
            assert_same(one, two)
    elif isinstance(value, float):
        assert value.hex() == other.hex()
    else:
        assert value == other
