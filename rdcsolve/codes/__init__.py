"""Codes: what one-shot codes can do at best, beside the limits that long blocks attain."""

from rdcsolve.codes.one_shot import DeterministicCode, OneShot, one_shot

__all__ = ["DeterministicCode", "OneShot", "one_shot"]
