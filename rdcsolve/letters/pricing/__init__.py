"""Prices of letters with soft decisions: the dearest found by climbing, and bounds on the largest."""
