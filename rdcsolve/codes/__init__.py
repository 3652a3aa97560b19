"""Codes: judge a codec at hand, and know what short codes can do beside the limits of long blocks."""

from rdcsolve.codes.audit import audit
from rdcsolve.codes.finite_blocklength import FiniteBlocklength, finite_blocklength
from rdcsolve.codes.one_shot import DeterministicCode, OneShot, one_shot
from rdcsolve.codes.report import Audit, AuditLine, Part

__all__ = [
    "Audit",
    "AuditLine",
    "DeterministicCode",
    "FiniteBlocklength",
    "OneShot",
    "Part",
    "audit",
    "finite_blocklength",
    "one_shot",
]
