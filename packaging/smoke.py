"""What a fresh installation has to do, without extras: state, solve, check, save, load."""

import tempfile
from pathlib import Path

import numpy as np

import rdcsolve as rdc

x = np.linspace(-3, 3, 31)
source = rdc.Source(x, np.exp(-(x**2) / 2), labels=[np.stack([x < 0, x >= 0], axis=1)], normalise=True)
for limit in (rdc.DistortionLimit(0.2), rdc.LabelEntropyLimit(0.1)):
    problem = rdc.Problem(source, limits=[limit])
    result = rdc.solve(problem)
    assert result.proof is rdc.Proof.CERTIFIED, result
    assert result.gap < 1e-8, result
    with tempfile.TemporaryDirectory() as folder:
        result.save(Path(folder) / "point.npz")
        assert rdc.load(Path(folder) / "point.npz").certificate.verify(problem).valid
