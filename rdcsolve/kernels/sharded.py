"""The kernel by shards of its rows, whose losses lie with the workers of a Dask cluster.

A shard is the result of a task that evaluates the losses of its rows, so the scheduler makes it anew on another worker
when the one that held it dies. Each operation is a task a shard and one that joins them; vectors and the state of the
method stay with the caller, and nothing else can be lost.
"""

from __future__ import annotations

import functools
import math
import time
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from rdcsolve.errors import BackendUnavailable, MissingExtra
from rdcsolve.kernels.blocks import BlockKernel
from rdcsolve.kernels.kernel import unwrapped
from rdcsolve.problems.structures import Adapted, BlockLoss, LossStructure, Rows, Shifted, Table, row_blocks

PATIENCE = 30.0
"""Seconds without any worker after which the call ends; a nanny restarts a worker in a few."""

_LOOK = 2.0  # seconds between two looks at whether there still are workers
_SHARD_PAIRS = 2**22  # 32 MB of a loss: what is made anew, or moved, at a time
_KEPT = 4  # losses and masks held at a time, if a kernel has no more


class _Held(NamedTuple):
    """What the workers hold: of which loss or mask, of which of its rows (None for all), and its shards."""

    whole: Any
    rows: np.ndarray | None
    shards: list[Any]

    def is_of(self, whole: Any, rows: np.ndarray | None) -> bool:
        if self.whole is not whole:
            return False
        return rows is self.rows or (rows is not None and self.rows is not None and np.array_equal(rows, self.rows))


class Workers:
    """The workers of a Dask client, as a place where kernels keep their rows.

    Parameters
    ----------
    client : distributed.Client
        With at least one worker, on which rdcsolve is installed.
    """

    name = "dask"
    out_of_memory: tuple[type[BaseException], ...] = ()

    def __init__(self, client: Any) -> None:
        self.client = client
        self._held: list[_Held] = []
        self._threads = 0

    def parts(self, shape: tuple[int, int]) -> list[slice]:
        """Return the rows of each shard: at least one shard for every thread of the workers.

        Raises
        ------
        BackendUnavailable
            If the client is closed, or no worker comes.
        """
        if not self._threads:
            self._threads = self._wait_for_threads()
        count = max(self._threads, math.ceil(shape[0] * shape[1] / _SHARD_PAIRS))
        return list(row_blocks(shape, math.ceil(shape[0] / count) * shape[1]))

    def shards(self, whole: Any, rows: np.ndarray | None, parts: list[slice], kept: int) -> list[Any]:
        """Return futures of the parts of a loss, or of a mask; the last few stay: multipliers change, they do not."""
        for held in self._held:
            if held.is_of(whole, rows):
                return held.shards
        made = []
        with warnings.catch_warnings():
            # Dask would rather have large arguments scattered; but what is scattered is lost with its worker
            warnings.filterwarnings("ignore", "Sending large graph")
            for part in parts:
                some = part if rows is None else rows[part]
                made.append(self.client.submit(_stored, _portion(whole, some), pure=False))
        self._held = [*self._held[1 - max(kept, _KEPT) :], _Held(whole, rows, made)]
        return made

    def answer(self, operation: str, tasks: list[tuple[Any, ...]]) -> Any:
        """Return what an operation of a kernel gives, from one task a shard.

        Raises
        ------
        BackendUnavailable
            If the client is closed or no worker is left, or if the same work killed one worker after another.
        """
        self._require_open()
        try:
            partial = [self.client.submit(_part, operation, *task, pure=False) for task in tasks]
            return self._result(self.client.submit(_joined, operation, partial, pure=False))
        except BackendUnavailable:
            raise
        except Exception as error:
            told = self._told(error)
            if told is None:
                raise
            raise told from error

    def forget(self) -> None:
        """Let go of what the workers hold."""
        self._held, self._threads = [], 0

    def _result(self, future: Any) -> Any:
        seen = time.monotonic()
        while True:
            try:
                return future.result(timeout=_LOOK)
            except TimeoutError:
                if future.status == "error":  # it is the task's own
                    raise
            self._require_open()
            if self._running_threads():
                seen = time.monotonic()
            elif time.monotonic() - seen > PATIENCE:
                raise self._nobody()

    def _wait_for_threads(self) -> int:
        self._require_open()
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            threads = self._running_threads()
            if threads:
                return threads
            time.sleep(0.1)
        raise self._nobody()

    def _running_threads(self) -> int:
        try:
            return int(sum(self.client.nthreads().values())) if self.client.status == "running" else 0
        except OSError:  # the scheduler went this moment: Dask's errors of connections are of this kind
            return 0

    def _require_open(self) -> None:
        if self.client.status in ("closed", "closing"):
            raise _unavailable("its client is closed, or has lost its scheduler; make another Client")

    def _nobody(self) -> BackendUnavailable:
        return _unavailable(f"its client has had no worker for {PATIENCE:g} s; start one")

    def _told(self, error: Exception) -> BackendUnavailable | None:
        """Return the error to raise for one that came out of Dask, None for a task's own."""
        kind = type(error).__name__
        if kind == "KilledWorker":
            return _unavailable(
                "the same task killed one worker after another, mostly for want of memory; give workers more memory, "
                "start more of them, or take fewer letters"
            )
        if kind.endswith("CancelledError") or self.client.status in ("closed", "closing"):
            return _unavailable("its client is closed, or has lost its scheduler; make another Client")
        return None


class ShardedKernel(BlockKernel):
    """K[i, a] = exp(-sum_m multipliers[m] L_m(i, a) - log_scale[i]), zero at forbidden pairs; see `Kernel`.

    Workers hold the losses, and evaluate the kernel block by block, as a `BlockKernel` does, whenever it is used.

    Parameters
    ----------
    losses : sequence of LossStructure
        M >= 1, of shape (n, k), finite (anything at forbidden pairs).
    multipliers : numpy.ndarray
        Shape (M,), >= 0.
    forbidden : numpy.ndarray or None
        Mask, shape (n, k).
    workers : Workers

    Raises
    ------
    BackendUnavailable
        Of every operation, if there is no worker that could do it.
    """

    has_gram = True  # of some letters without their columns, which are as long as the source

    def __init__(
        self,
        losses: Sequence[LossStructure],
        multipliers: np.ndarray,
        forbidden: np.ndarray | None,
        workers: Workers,
    ) -> None:
        self._workers, self._parts = workers, workers.parts(losses[0].shape)
        kept = 2 * len(losses) + 1
        self._shifts: list[np.ndarray | None] = []
        self._shards: list[tuple[list[Any], list[Any]]] = []
        for loss in losses:
            whole, rows, _ = unwrapped(loss)
            shifts, mask = (loss.shifts, loss.forbidden) if isinstance(loss, Shifted) else (None, None)
            masks = self._masks(mask, kept)
            self._shifts.append(shifts)
            self._shards.append((workers.shards(whole, rows, self._parts, kept), masks))
        self._forbidden = self._masks(forbidden, kept)
        super().__init__(losses, multipliers, forbidden)

    def _masks(self, mask: np.ndarray | None, kept: int) -> list[Any]:
        if mask is None:
            return [None] * len(self._parts)
        return self._workers.shards(mask, None, self._parts, kept)

    def _largest_exponents(self) -> np.ndarray:
        self.log_scale = np.empty(0)
        return np.asarray(self._asked("log_scale"))

    def _asked(self, operation: str, arguments: tuple[Any, ...] = (), by_row: np.ndarray | None = None) -> Any:
        """Return what an operation gives for arguments that every shard gets, after the shard's share of `by_row`."""
        tasks = []
        for number, part in enumerate(self._parts):
            losses = [
                [shards[number], None if shifts is None else shifts[part], masks[number]]
                for shifts, (shards, masks) in zip(self._shifts, self._shards, strict=True)
            ]
            scale = self.log_scale[part] if self.log_scale.size else None
            own = () if by_row is None else (by_row[part],)
            tasks.append((losses, self._forbidden[number], self.multipliers, scale, *own, *arguments))
        return self._workers.answer(operation, tasks)

    def matvec(self, q: np.ndarray) -> np.ndarray:
        """Return K q, shape (n,)."""
        return np.asarray(self._asked("matvec", (q,)))

    def rmatvec(self, weights: np.ndarray) -> np.ndarray:
        """Return K' weights, shape (k,)."""
        return np.asarray(self._asked("rmatvec", (), weights))

    def columns(self, letters: np.ndarray | None = None) -> np.ndarray:
        """Return columns of K, shape (n, len(letters)); all by default."""
        return np.asarray(self._asked("columns", (letters,)))

    def gram(self, weights: np.ndarray, letters: np.ndarray | None = None) -> np.ndarray:
        """Return K' diag(weights) K on some letters, shape (m, m)."""
        return np.array(self._asked("gram", (letters,), weights))

    def loss_matvec(self, m: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m) q, shape (n,)."""
        return np.asarray(self._asked("loss_matvec", (m, q)))

    def loss_rmatvec(self, m: int, weights: np.ndarray) -> np.ndarray:
        """Return (K o L_m)' weights, shape (k,)."""
        return np.asarray(self._asked("loss_rmatvec", (m,), weights))

    def second(self, m: int, other: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m o L_other) q, shape (n,)."""
        return np.asarray(self._asked("second", (m, other, q)))

    def moments(self, q: np.ndarray, limited: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return t = K q (n,), the losses' means (M, n) in the channel q K / t, and covariances (F, F, n) of some."""
        t, means, covariances = self._asked("moments", (q, limited))
        return t, means, covariances


def is_client(value: Any) -> bool:
    """Return whether a value is a client of Dask, without importing Dask."""
    return type(value).__module__.partition(".")[0] == "distributed" and hasattr(value, "submit")


def current_workers() -> Workers:
    """Return the workers of the client that was made last in this process.

    Raises
    ------
    MissingExtra
        If the extra ``distributed`` is not installed.
    BackendUnavailable
        If there is no client.
    """
    try:
        from distributed import default_client
    except ImportError as error:
        raise MissingExtra.of("distributed", "backend='dask'") from error
    try:
        return Workers(default_client())  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise _unavailable("there is no client; make one, distributed.Client('scheduler:8786')") from error


def _unavailable(why: str) -> BackendUnavailable:
    return BackendUnavailable(f"backend='dask' cannot be used: {why}, or pass backend='numpy'")


# ---------------------------------------------------------------------------------------------- what is sent to workers


def _portion(whole: Any, rows: slice | np.ndarray) -> Any:
    """Return some rows of a loss with no more of it than they need, since the scheduler keeps what it sends."""
    if isinstance(whole, np.ndarray):
        return whole[rows]
    if isinstance(whole, Table):
        return Table(whole.block(rows))
    if isinstance(whole, BlockLoss):
        return BlockLoss(whole.distortion, whole.points[rows], whole.reproduction)
    if isinstance(whole, Adapted):
        whole = Adapted(whole.own, whole.name)  # without the extremes of every row, which it has worked out by now
    return Rows(whole, np.arange(whole.shape[0])[rows])


def _stored(structure: LossStructure | np.ndarray) -> np.ndarray:
    """Return a loss, or a mask, as the array that it is, made block by block."""
    if isinstance(structure, np.ndarray):
        return structure
    entries = np.empty(structure.shape)
    for rows in row_blocks(structure.shape):
        entries[rows] = structure.block(rows)
    return entries


def _part(
    operation: str,
    losses: list[Any],
    forbidden: np.ndarray | None,
    multipliers: np.ndarray,
    log_scale: np.ndarray | None,
    *arguments: Any,
) -> Any:
    """Return what an operation gives of the kernel of a shard's rows; losses with their shifts and masks."""
    tables: list[LossStructure] = []
    for entries, shifts, mask in losses:
        tables.append(Table(entries) if shifts is None else Shifted(Table(entries), shifts, mask))
    kernel = BlockKernel(tables, multipliers, forbidden, log_scale)
    if operation == "log_scale":
        return kernel.log_scale
    if operation == "loss_rmatvec":
        weights, m = arguments
        return kernel.loss_rmatvec(m, weights)
    return getattr(kernel, operation)(*arguments)


def _joined(operation: str, parts: list[Any]) -> Any:
    """Return the answer of all rows from those of the shards, in their order: the same whoever worked them out."""
    if operation in ("rmatvec", "gram", "loss_rmatvec"):
        return functools.reduce(np.add, parts)
    if operation == "moments":  # t, means and covariances, with symbols last
        return tuple(np.concatenate(some, axis=-1) for some in zip(*parts, strict=True))
    return np.concatenate(parts, axis=0)
