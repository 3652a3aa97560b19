"""One encoder for many targets: universal rates, rate penalties, and what an encoder in hand can be decoded to."""

from rdcsolve.universal.decoding import Decoder
from rdcsolve.universal.encoder import Encoder, encoder_from_samples
from rdcsolve.universal.observed import restoration
from rdcsolve.universal.rate import universal_rate
from rdcsolve.universal.realism import PerceptionRegion, perception_region
from rdcsolve.universal.region import Region, achievable_region
from rdcsolve.universal.result import Universal
from rdcsolve.universal.storage import load
from rdcsolve.universal.verification import UniversalVerification

__all__ = [
    "Decoder",
    "Encoder",
    "PerceptionRegion",
    "Region",
    "Universal",
    "UniversalVerification",
    "achievable_region",
    "encoder_from_samples",
    "load",
    "perception_region",
    "restoration",
    "universal_rate",
]
