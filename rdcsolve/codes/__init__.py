"""Codes: what codes for one symbol at a time, or for short blocks, can do beside the limits of long blocks."""

from rdcsolve.codes.finite_blocklength import FiniteBlocklength, finite_blocklength
from rdcsolve.codes.one_shot import DeterministicCode, OneShot, one_shot

__all__ = ["DeterministicCode", "FiniteBlocklength", "OneShot", "finite_blocklength", "one_shot"]
