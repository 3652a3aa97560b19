"""One encoder for many targets: universal rates, rate penalties, and what an encoder in hand can be decoded to."""

from rdcsolve.universal.decoding import Decoder
from rdcsolve.universal.rate import universal_rate
from rdcsolve.universal.universal import Universal

__all__ = ["Decoder", "Universal", "universal_rate"]
