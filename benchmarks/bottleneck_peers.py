"""What others offer for the information bottleneck: min I(X;T) + lambda H(S|T) over channels from X to T.

None proves anything. A channel that is handed out is evaluated here; where only numbers are, they are taken as given.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import resource
import signal
import time
from typing import Any, NamedTuple

import numpy as np

from rdcsolve.information import conditional_entropy, entropy, mutual_information


class Found(NamedTuple):
    """The value of what a peer returns (NaN: nothing), the value that its own numbers claim, steps, CPU seconds."""

    value: float
    claimed: float
    steps: int
    cpu: float
    note: str = ""


def objective(p: np.ndarray, label: np.ndarray, multiplier: float, channel: np.ndarray) -> float:
    """Return I(X;T) + lambda H(S|T), nats."""
    return mutual_information(p, channel) + multiplier * conditional_entropy(p, label, channel)


def random_channel(rng: np.random.Generator, size: int, peaked: bool) -> np.ndarray:
    """Return a random channel between as many clusters as symbols; a peaked one gives most of a symbol to its own."""
    channel = rng.dirichlet(np.ones(size), size)
    if not peaked:
        return channel
    share = rng.uniform(0.25, 0.45, (size, 1))
    return share * channel + (1 - share) * np.eye(size)


def textbook(
    p: np.ndarray,
    label: np.ndarray,
    multiplier: float,
    start: np.ndarray,
    max_steps: int,
    still: float,
) -> Found:
    """Return where the self-consistent equations of Tishby, Pereira and Bialek lead from one channel.

    A step is q(t) = sum_x p(x) q(t|x), the clusters' posteriors p(s|t), and
    q(t|x) prop. to q(t) exp(-lambda D(p(s|x) || p(s|t))). It ends once a hundred steps lower the value by less than
    `still`. Clusters whose mass falls below 1e-14 are dropped.
    """
    began = time.process_time()
    channel, last, steps = start, np.inf, 0
    while True:
        q = p @ channel
        channel, q = channel[:, q > 1e-14], q[q > 1e-14]
        posterior = (channel * p[:, None]).T @ label / q[:, None]
        exponent = np.log(q) + multiplier * (label @ np.log(np.maximum(posterior, 1e-300)).T)
        top = exponent.max(axis=1, keepdims=True)
        channel = np.exp(exponent - top)
        sums = channel.sum(axis=1, keepdims=True)
        channel /= sums
        steps += 1
        if steps % 100 == 0:
            value = objective(p, label, multiplier, channel)
            if last - value < still or steps >= max_steps:
                note = "" if last - value < still else "not converged"
                return Found(value, value, steps, time.process_time() - began, note)
            last = value


def dit_bottleneck(p: np.ndarray, label: np.ndarray, multiplier: float, max_steps: int, restarts: int) -> Found:
    """Return dit's answer; its divergence is a Python call per pair of symbol and cluster."""
    from dit.rate_distortion.blahut_arimoto import blahut_arimoto_ib

    began = time.process_time()
    np.random.seed(0)  # noqa: NPY002 - dit draws from the global generator
    joint = p[:, None] * label
    with np.errstate(all="ignore"):
        point, whole = blahut_arimoto_ib(joint, multiplier, max_iters=max_steps, restarts=restarts)
    cpu = time.process_time() - began
    channel = whole.sum(axis=1)
    channel = channel / channel.sum(axis=1, keepdims=True)
    rate, divergence = np.log(2) * np.array([point.rate, point.distortion])  # the latter is I(X;S) - I(S;T)
    claimed = rate + multiplier * (divergence + conditional_entropy(p, label, np.eye(p.size)))
    sound = np.isfinite(channel).all()
    value = objective(p, label, multiplier, channel) if sound else float("nan")
    return Found(value, float(claimed), max_steps, cpu, "" if sound else "the channel is not finite")


def embo_bottleneck(p: np.ndarray, label: np.ndarray, multiplier: float, max_steps: int, rtol: float) -> Found:
    """Return embo's answer, which has no channel. Its divergences are in bits under exp: beta = lambda log 2."""
    from embo import InformationBottleneck

    beta = multiplier * np.log(2)
    # It starts a process of its own, whose seconds count with those of children.
    began = time.process_time() + _children()
    bottleneck = InformationBottleneck(
        pxy=p[:, None] * label,
        minbeta=beta,
        maxbeta=beta,
        numbeta=1,
        iterations=max_steps,
        rtol=rtol,
        ensure_monotonic_bound=False,
    )
    kept, told = np.log(2) * np.array(bottleneck.get_bottleneck()[:2], dtype=float)[:, 0]
    cpu = time.process_time() + _children() - began
    claimed = float(kept + multiplier * (entropy(p @ label) - told))
    return Found(claimed, claimed, max_steps, cpu)


PEERS = {"dit": dit_bottleneck, "embo": embo_bottleneck}


def limited(peer: str, seconds: float, *args: Any) -> Found | str:
    """Return a peer's answer from a process of its own, or why there is none."""
    if importlib.util.find_spec(peer) is None:
        return "not installed"
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, peer, args))
    process.start()
    sender.close()
    try:
        answer = receiver.recv() if receiver.poll(seconds) else f"none in {seconds:.0f} s"
    except EOFError:
        answer = "ended without an answer"
    if process.is_alive():
        os.killpg(process.pid, signal.SIGKILL)  # with its own children
    process.join()
    return answer


def _send(sender: Any, peer: str, args: tuple[Any, ...]) -> None:
    os.setsid()
    try:
        sender.send(PEERS[peer](*args))
    except Exception as error:
        sender.send(f"{type(error).__name__}: {error}")


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
