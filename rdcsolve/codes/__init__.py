"""Codes: judge a codec at hand, make one that runs, know what short codes can do beside the limits of long blocks."""

from rdcsolve.codes.audit import audit
from rdcsolve.codes.audit_curves import CurvePoint
from rdcsolve.codes.code import Code, load_code
from rdcsolve.codes.finite_blocklength import FiniteBlocklength, finite_blocklength
from rdcsolve.codes.one_shot import DeterministicCode, OneShot, one_shot
from rdcsolve.codes.quantiser import fit_quantiser, fit_universal_quantiser
from rdcsolve.codes.report import Audit, AuditLine, Part
from rdcsolve.codes.simulation import ChannelCode, simulate
from rdcsolve.codes.universal_code import UniversalCode, load_universal_code
from rdcsolve.codes.universal_measure import Estimate, TargetMeasure, UniversalMeasure

__all__ = [
    "Audit",
    "AuditLine",
    "ChannelCode",
    "Code",
    "CurvePoint",
    "DeterministicCode",
    "Estimate",
    "FiniteBlocklength",
    "OneShot",
    "Part",
    "TargetMeasure",
    "UniversalCode",
    "UniversalMeasure",
    "audit",
    "finite_blocklength",
    "fit_quantiser",
    "fit_universal_quantiser",
    "load_code",
    "load_universal_code",
    "one_shot",
    "simulate",
]
