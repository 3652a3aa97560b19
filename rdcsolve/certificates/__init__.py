"""Certificates: numbers that prove a bound, and their checks."""

from rdcsolve.certificates.certificate import Certificate
from rdcsolve.certificates.check import Verification
from rdcsolve.certificates.proof import PriceProof

__all__ = ["Certificate", "PriceProof", "Verification"]
