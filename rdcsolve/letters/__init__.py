"""Letter spaces: where letters come from, what they cost, and what they are worth."""

from rdcsolve.letters.choice import space_of
from rdcsolve.letters.finite import FiniteLetters, Pricing
from rdcsolve.letters.letters import Letters, PricedLetters
from rdcsolve.letters.searched import SearchedSpace
from rdcsolve.letters.space import LetterSpace, PriceBound, Prices, ShownLetters

__all__ = [
    "FiniteLetters",
    "LetterSpace",
    "Letters",
    "PriceBound",
    "PricedLetters",
    "Prices",
    "Pricing",
    "SearchedSpace",
    "ShownLetters",
    "space_of",
]
