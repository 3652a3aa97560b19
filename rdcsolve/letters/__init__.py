"""Letter spaces: the losses of letters, and their prices."""

from rdcsolve.letters.finite import FiniteLetters, Pricing

__all__ = ["FiniteLetters", "Pricing"]
