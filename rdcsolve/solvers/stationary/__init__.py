"""Fixed letters, one per symbol: alternating descent to stationary points, which are not proved optimal."""
