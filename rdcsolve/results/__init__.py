"""What a solver returns: status, bounds, channel and certificate, kept in files."""

from rdcsolve.results.channel import Channel
from rdcsolve.results.result import Result, StepRecord
from rdcsolve.results.status import Proof, Status
from rdcsolve.results.storage import load

__all__ = ["Channel", "Proof", "Result", "Status", "StepRecord", "load"]
