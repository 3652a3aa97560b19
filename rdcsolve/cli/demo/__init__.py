"""The main job on real input: the rate-distortion-classification surface of handwritten digits."""

from rdcsolve.cli.demo.command import demo

__all__ = ["demo"]
