"""Certificates: numbers that prove a bound, and their checks."""

from rdcsolve.certificates.certificate import Certificate
from rdcsolve.certificates.check import LIMIT_TOLERANCE, Verification

__all__ = ["LIMIT_TOLERANCE", "Certificate", "Verification"]
