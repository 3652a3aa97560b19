"""Clocks, memory, and where the figures go."""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
"""Read by the linear algebra libraries when they load, so to be set before."""


class Measured(NamedTuple):
    """The median CPU and wall seconds of some runs, and what the last one returned."""

    cpu: float
    wall: float
    value: Any


def median_of(run: Callable[[], Any], repetitions: int) -> Measured:
    """Time a function; one run is enough once it takes more than two seconds."""
    clocks, value = [], None
    for _ in range(repetitions):
        wall, cpu = time.perf_counter(), time.process_time()
        value = run()
        clocks.append((time.process_time() - cpu, time.perf_counter() - wall))
        if clocks[-1][0] > 2:
            break
    cpu, wall = np.median(clocks, axis=0)
    return Measured(float(cpu), float(wall), value)


def peak_megabytes() -> float:
    """Return the largest resident memory that this process ever had."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
    }


def save(rows: Sequence[dict[str, Any]], path: str | None) -> None:
    """Write the rows as JSON, if there is a path."""
    if path is None:
        return
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"machine": machine(), "rows": list(rows)}, file, indent=1)
    print(f"\nwritten to {path}")
