"""Figure 4 of the paper: what a rate attains of a Gaussian pair, as printed and as it is."""

from __future__ import annotations

from rdcsolve.cli.drawing import Drawing
from rdcsolve.results import Proof


def draw() -> Drawing:
    """Return the figure, with the solver's bounds at every rate."""
    from matplotlib import pyplot

    from rdcsolve.explore.figures import figure_4, figure_4_corners

    corners = figure_4_corners()
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.6), layout="constrained", sharex=True, sharey=True)
    figure_4(corners, axes)
    lines = [
        f"R = {corner.rate:g} nat: corner ({corner.D:.6f}, {corner.C:.6f}) by the closed form; on the grid the least "
        f"distortion is {corner.D_lower:.6f} to {corner.D_upper:.6f}, {corner.D_proof.name}, at label entropy "
        f"{corner.C_there:.6f}; the least label entropy {corner.C_lower:.6f} to {corner.C_upper:.6f}, "
        f"{corner.C_proof.name}"
        for corner in corners
    ]
    unproved = []
    for corner in corners:
        proofs = {"distortion": corner.D_proof, "label entropy": corner.C_proof}
        unproved += [
            f"the least {name} at R = {corner.rate:g} rests on a search"
            for name, proof in proofs.items()
            if proof is not Proof.CERTIFIED
        ]
    return Drawing(figure, tuple(lines), tuple(unproved))
