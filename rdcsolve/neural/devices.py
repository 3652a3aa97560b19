"""Where networks are trained: on the processor, or on a GPU that repeats recorded steps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch

from rdcsolve.errors import InvalidInput
from rdcsolve.problems.validation import one_of

_AS_THEY_ARE = 3
"""Steps before a recording: libraries choose their algorithms and optimisers make their moments in the first ones."""


def device_of(device: str) -> torch.device:
    """Return the device of a name.

    Parameters
    ----------
    device : {"cpu", "cuda", "auto"}
        "auto" is CUDA where torch sees a GPU, else the processor.

    Raises
    ------
    InvalidInput
        If it has another name, or is "cuda" where torch sees no GPU.
    """
    name = one_of(device, ("cpu", "cuda", "auto"), "device")
    has_gpu = name != "cpu" and torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise InvalidInput(
            f"device is 'cuda' but torch {torch.__version__} sees no GPU; install a build of torch for CUDA on a "
            "machine with one, or take 'cpu' or 'auto'"
        )
    return torch.device("cuda" if has_gpu else "cpu")


class Repeated:
    """A step without arguments, done again and again.

    Networks of this size leave a GPU waiting for the processor, which launches some three hundred kernels a step. So
    the step is recorded once as a CUDA graph, and repeated with one launch. What it reads and writes must stay where it
    is in memory, and nothing in it may wait for the GPU.
    """

    def __init__(self, step: Callable[[], None], stream: torch.cuda.Stream | None) -> None:
        self._step, self._stream = step, stream
        self._done = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        """Do the step, on a GPU without waiting for its end."""
        if self._stream is None or self._done < _AS_THEY_ARE:
            self._step()
        else:
            if self._graph is None:
                self._graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(self._graph, stream=self._stream):
                    self._step()
            self._graph.replay()
        self._done += 1


@contextlib.contextmanager
def repeatable() -> Iterator[None]:
    """Let convolutions on a GPU add up in the same order every time."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before


def on_stream(stream: torch.cuda.Stream | None) -> contextlib.AbstractContextManager[object]:
    """Return a context in which work goes to a GPU's queue of its own; None for the processor."""
    return contextlib.nullcontext() if stream is None else torch.cuda.stream(stream)
