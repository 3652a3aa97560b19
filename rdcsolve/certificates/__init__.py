"""Certificates: numbers that prove a bound, and their checks."""

from rdcsolve.certificates.certificate import Certificate
from rdcsolve.certificates.check import Verification

__all__ = ["Certificate", "Verification"]
