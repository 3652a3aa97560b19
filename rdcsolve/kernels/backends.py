"""Where kernels keep their matrices: in NumPy's memory, or on a device, as arrays of CuPy or PyTorch.

Vectors, which are short, stay with NumPy everywhere. A solver asks `make_kernel` for a kernel, and gets one on the
device where `using` says so. What is proved is proved apart from that, by the check, in NumPy.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from rdcsolve import memory
from rdcsolve.errors import BackendUnavailable, InvalidInput, MissingExtra, OutOfMemory
from rdcsolve.kernels.sharded import Workers, current_workers, is_client
from rdcsolve.options import shown
from rdcsolve.problems.structures import LossStructure, row_blocks

NAMES = ("auto", "numpy", "cupy", "torch", "dask")
"""What ``backend=`` may be, besides a `Backend` or a client of Dask."""

LARGE = 1_000_000
"""Pairs of symbol and letter from which ``"auto"`` takes a device: below, the way there takes longer than the work."""

_TABLES = 3  # of the kernel's size: the kernel, its exponents, and a product on the way
_KEPT = 4  # losses held on the device at a time: a problem's own are few, those of restricted letters come and go


class Backend:
    """An array library and a device of it, by the array API standard.

    Parameters
    ----------
    name : str
        For messages.
    xp : module
        The namespace of the array API (2022.12 or later, with its linear algebra).
    device, host : object
        As ``asarray`` takes them: where matrices lie, and where NumPy can read them.
    out_of_memory : tuple of type, optional
        What the library raises when the device's memory is used up.
    free_bytes : callable, optional
        Returns how much of the device's memory is free.
    """

    def __init__(  # noqa: PLR0913 - what differs between libraries
        self,
        name: str,
        xp: Any,
        device: Any,
        host: Any,
        out_of_memory: tuple[type[BaseException], ...] = (),
        free_bytes: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self.name, self.xp, self.device, self.host = name, xp, device, host
        self.out_of_memory, self.free_bytes = out_of_memory, free_bytes
        self._losses: list[tuple[Any, Any]] = []

    def put(self, array: np.ndarray) -> Any:
        """Return a copy of a NumPy array on the device."""
        return self.xp.asarray(array, device=self.device, copy=True)

    def loss(self, loss: np.ndarray | LossStructure) -> Any:
        """Return a loss on the device, where the last few stay: multipliers change, and the losses do not.

        One that is not stored is evaluated by rows, so that NumPy never holds all of it.
        """
        for known, held in self._losses:
            if known is loss:
                return held
        if isinstance(loss, np.ndarray):
            array = self.put(loss)
        else:
            array = self.xp.concat([self.put(loss.block(rows)) for rows in row_blocks(loss.shape)], axis=0)
        self._losses = [*self._losses[1 - _KEPT :], (loss, array)]
        return array

    def holds(self, shape: tuple[int, int], count: int) -> bool:
        """Return whether a kernel of this shape, made of so many losses, fits beside what is on the device."""
        return 8.0 * shape[0] * shape[1] * (_TABLES + 2 * count) <= self.free_bytes()

    def get(self, array: Any) -> np.ndarray:
        """Return a copy of an array of the device for NumPy."""
        from array_api_compat import to_device

        return np.asarray(to_device(array, self.host))

    def forget(self) -> None:
        """Let go of the losses on the device."""
        self._losses = []


_backend: ContextVar[Backend | Workers | None] = ContextVar("backend", default=None)


def current() -> Backend | Workers | None:
    """Return the backend in use, or None for NumPy."""
    return _backend.get()


@contextmanager
def using(backend: Backend | Workers | None) -> Iterator[None]:
    """Let kernels that are made inside lie on this backend's device; None for NumPy.

    Raises
    ------
    OutOfMemory
        If the device's memory is used up inside.
    """
    if backend is None:
        yield
        return
    token = _backend.set(backend)
    try:
        yield
    except backend.out_of_memory as error:
        raise OutOfMemory(
            f"the memory of the device of backend={backend.name!r} is used up; pass backend='numpy', "
            "solver=ColumnGeneration(), or take fewer letters (reproduction=) or symbols"
        ) from error
    finally:
        _backend.reset(token)
        backend.forget()


def find(name: Any, pairs: int = 0) -> Backend | Workers | None:
    """Return the backend of this name, None for NumPy.

    Parameters
    ----------
    name : {"auto", "numpy", "cupy", "torch", "dask"}, Backend or distributed.Client
        ``"auto"`` takes a device where the problem is large and a library that finds one has been imported already.
    pairs : int, optional
        How many pairs of symbol and letter the problem has.

    Raises
    ------
    BackendUnavailable
        If the library is not installed, or finds no device that works.
    InvalidInput
        If there is no backend of this name.
    MissingExtra
        If the extra ``gpu``, or for Dask ``distributed``, is not installed.
    """
    if isinstance(name, (Backend, Workers)):
        return name
    if is_client(name):
        return Workers(name)
    if not isinstance(name, str) or name not in NAMES:
        raise InvalidInput(f"backend is {shown(name)}; give one of {', '.join(map(repr, NAMES))}")
    if name == "numpy":
        return None
    if name == "auto":
        return _imported() if pairs >= LARGE else None
    if name == "dask":
        return current_workers()
    try:
        import array_api_compat  # noqa: F401
    except ImportError as error:
        raise MissingExtra.of("gpu", f"backend={name!r}") from error
    return _cupy() if name == "cupy" else _torch()


def of_array(array: Any, name: str = "it") -> Backend | None:
    """Return the backend of the library and the device that an array belongs to, None for NumPy.

    Parameters
    ----------
    array : array
    name : str, optional
        What to call it in an error message.

    Raises
    ------
    InvalidInput
        If it is an array of no library that keeps to the array API standard.
    MissingExtra
        If it is not NumPy's and the extra ``gpu`` is not installed.
    """
    if isinstance(array, np.ndarray):  # masked ones and matrices too, which the standard would take without their mask
        return None
    try:
        import array_api_compat as api
    except ImportError as error:
        raise MissingExtra.of("gpu", f"arrays of type {type(array).__name__}") from error
    if not api.is_array_api_obj(array):
        raise InvalidInput(
            f"{name} is a {type(array).__name__}, which is no array of NumPy, PyTorch, CuPy or the array API; convert "
            f"it, for instance by np.asarray({name})"
        )
    if api.is_torch_array(array) or api.is_cupy_array(array):
        known = _cupy() if api.is_cupy_array(array) else _torch()
        return Backend(known.name, known.xp, array.device, known.host, known.out_of_memory, known.free_bytes)
    xp = api.array_namespace(array)
    host = xp.Device("CPU_DEVICE") if api.is_array_api_strict_namespace(xp) else "cpu"
    return Backend(xp.__name__, xp, api.device(array), host)


def _imported() -> Backend | None:
    """Return the backend of a library that the caller works with, if it finds a GPU."""
    for name in ("cupy", "torch"):
        if name in sys.modules:
            try:
                backend = find(name)
            except (BackendUnavailable, MissingExtra):
                continue
            if isinstance(backend, Backend) and str(backend.device) != "cpu":
                return backend
    return None


def _unavailable(name: str, why: str) -> BackendUnavailable:
    return BackendUnavailable(f"backend={name!r} cannot be used: {why}; pass backend='numpy'")


def _cupy() -> Backend:
    """Return CuPy on its current device."""
    try:
        import cupy
    except ImportError as error:
        raise _unavailable("cupy", "CuPy is not installed (https://docs.cupy.dev says how)") from error
    try:
        device = cupy.cuda.Device()
        probe = float(cupy.linalg.cholesky(cupy.eye(2) + cupy.ones((2, 2)))[0, 0])  # asks driver, compiler, libraries
    except Exception as error:  # of the driver, the compiler or a library: CuPy has a class for each
        raise _unavailable("cupy", f"it finds no GPU that works ({_line(error)})") from error
    if not abs(probe - 2**0.5) < 1e-12:
        raise _unavailable("cupy", f"a Cholesky factor came out as {probe!r}")
    import array_api_compat.cupy as xp

    return Backend("cupy", xp, device, "cpu", (cupy.cuda.memory.OutOfMemoryError,), lambda: float(device.mem_info[0]))


def _torch() -> Backend:
    """Return PyTorch on its GPU, or on the processor where there is none."""
    try:
        import torch
    except ImportError as error:
        raise _unavailable("torch", "PyTorch is not installed (https://pytorch.org says how)") from error
    import array_api_compat.torch as xp

    device, free_bytes = "cpu", memory.free_bytes
    if torch.cuda.is_available():
        device = f"cuda:{torch.cuda.current_device()}"
        try:
            torch.linalg.cholesky(torch.eye(2, dtype=torch.float64, device=device))
        except Exception as error:  # of the driver or a library
            raise _unavailable("torch", f"its GPU does not work ({_line(error)})") from error

        def free_bytes() -> float:
            return float(torch.cuda.mem_get_info(device)[0])

    return Backend("torch", xp, device, "cpu", (torch.OutOfMemoryError,), free_bytes)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
