"""Lower bounds of the campaign: is a claim above what its certificate proves? Prices are found anew."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
import tempfile
from functools import cache
from pathlib import Path

import campaign_exact as exact
import numpy as np
from flint import arb
from scipy.special import logsumexp

CHECKER = Path(__file__).parents[1] / "docs" / "reference" / "check_certificate.py"
_SEARCH_STEPS = 25
_STARTS = 48
_FEW = 3  # letters whose price is computed exactly


# --------------------------------------------------------------------------------- the dual bound


def judge_lower(stated, result, found, findings) -> None:
    """Report lower bounds that the certificate cannot prove; `found` is the channel's evaluation, or None."""
    certificate = result.certificate
    if certificate is None:
        return
    u, multipliers = numbers_of(stated, certificate)
    log_largest = log_largest_price(stated, u, multipliers, result)
    proved = exact.proved(stated, u, multipliers, log_largest)
    trivial = exact.trivial(stated)
    claims = {"certificate.lower": certificate.lower}
    if result.proof.name == "CERTIFIED":
        claims["objective_lower"] = result.objective_lower
        if stated.objective == "rate":
            claims["rate_lower"] = result.rate_lower
    for name, claim in claims.items():
        if math.isfinite(claim) and arb(claim) > proved and arb(claim) > trivial:
            beyond = float(arb(claim) - proved.max(trivial))
            findings.error("lower_beyond", f"{name} {claim!r} is above what the certificate proves", beyond)
    if result.proof.name == "CERTIFIED" and found is not None and stated.objective != "rate":
        _judge_rate_lower(stated, result, found, (u, multipliers, log_largest), findings)
    if result.proof.name == "UNVERIFIED":
        findings.note("proved_something" if arb(certificate.lower) > trivial else "proved_nothing")


def _judge_rate_lower(stated, result, found, dual, findings) -> None:
    """`rate_lower` is about channels with the losses of this one."""
    u, multipliers, log_largest = dual
    charged = sum((arb(multipliers[name]) * found.means[name] for name in multipliers), arb(0))
    proved = (exact.mean_u(stated, u) - log_largest - charged).max(arb(0))
    claim = result.rate_lower
    if math.isfinite(claim) and arb(claim) > proved + arb(1e-12) * (1 + abs(arb(claim))):
        findings.error("lower_beyond", f"rate_lower {claim!r} beside another objective", float(arb(claim) - proved))


def numbers_of(stated, certificate):
    """Return u as exact numbers by symbol, and the multipliers by name of the loss."""
    rest = getattr(certificate, "u_rest", None)
    rest = np.zeros(stated.p.size) if rest is None or not np.size(rest) else rest
    u = {i: arb(float(certificate.u[i])) + arb(float(rest[i])) for i in range(stated.p.size)}
    return u, dict(zip(stated.loss_names, certificate.multipliers.tolist(), strict=True))


def log_largest_price(stated, u, multipliers, result):
    """Return the log of the largest price: of all letters where they are finitely many, else of those found."""
    if not stated.free and not any(multipliers[name] > 0 for name in stated.entropies):
        letters = [(j, ()) for j in distinct(stated)]
        decisions = [np.ones((1, label.shape[1])) for label in stated.labels]
        candidates = [(j, [soft[0] for soft in decisions]) for j, _ in letters]
    else:
        candidates = dearest(stated, {i: float(value) for i, value in u.items()}, multipliers, result)
    logs = [exact.log_price(stated, u, multipliers, letter, decisions) for letter, decisions in candidates]
    return max(logs, key=lambda value: float(value.lower()))


def distinct(stated) -> list[int]:
    """Return the first of every group of letters that no linear loss tells apart."""
    stacked = np.vstack(list(stated.linear.values()))
    return sorted({column.tobytes(): j for j, column in reversed(list(enumerate(stacked.T)))}.values())


# --------------------------------------------------------------------------------- a search for dear letters


def dearest(stated, u, multipliers, result):
    """Return some letters of high price: each round moves a letter to the mean of the symbols that pay for it.

    The price is sum_i p_i exp(u_i - lambda.L(i, a)). By Jensen's inequality the mean of points and labels under the
    terms' shares does not lower it, so this climbs; what it finds is a price that is attained, never a bound on all.
    """
    symbols = np.flatnonzero(stated.p > 0)
    start = np.log(stated.p[symbols]) + np.array([u[i] for i in symbols])
    places = [None] if stated.free else distinct(stated)
    found = []
    for place in places:
        weights = start if place is None else start + _linear_exponent(stated, multipliers, symbols, place)
        if np.isfinite(weights).any():
            found += _climbed(stated, multipliers, symbols, weights, place, _starts(stated, symbols, result))
    found.sort(key=lambda one: -one[0])
    return [(letter, decisions) for _, letter, decisions in found[:_FEW]]


def _linear_exponent(stated, multipliers, symbols, place):
    exponent = np.zeros(symbols.size)
    for name, table in stated.linear.items():
        column = table[symbols, place]
        exponent[np.isinf(column)] = -math.inf
        exponent -= multipliers[name] * np.where(np.isinf(column), 0.0, column)
    return exponent


def _starts(stated, symbols, result):
    """Return shares of symbols to begin from, shape (K, n): of the letters given, single symbols, and the source."""
    n = symbols.size
    shares = [np.eye(n), stated.p[symbols][None]]
    if result.letters.size:
        shares.insert(0, (stated.p[:, None] * result.channel)[symbols].T)
    rng = np.random.default_rng(0)
    shares.append(rng.dirichlet(np.full(n, 0.5), size=4))
    stacked = np.vstack(shares)
    stacked = stacked[np.isfinite(stacked).all(axis=1) & (stacked.sum(axis=1) > 0)]
    return (stacked / stacked.sum(axis=1, keepdims=True))[: 2 * _STARTS][:: max(1, len(stacked) // _STARTS)]


def _climbed(stated, multipliers, symbols, weights, place, shares):
    """Return log price, letter and decisions of the best starts after some rounds."""
    labels = [(name, label[symbols]) for name, label in stated.entropies.items()]
    for _ in range(_SEARCH_STEPS):
        points = shares @ stated.points[symbols] if stated.free else None
        decisions = [shares @ label for _, label in labels]
        terms = np.tile(weights, (len(shares), 1))
        if points is not None:
            gaps = stated.points[symbols][None] - points[:, None]
            terms -= multipliers["distortion"] / stated.per_dimension * (gaps**2).sum(axis=2)
        for (name, label), soft in zip(labels, decisions, strict=True):
            if multipliers[name] > 0:
                terms += multipliers[name] * (np.log(np.maximum(soft, 1e-300)) @ label.T)
        logs = logsumexp(terms, axis=1)
        shares = np.exp(terms - logs[:, None])
    best = np.argsort(-logs)[:_FEW]
    return [(float(logs[k]), place if points is None else points[k], [soft[k] for soft in decisions]) for k in best]


# --------------------------------------------------------------------------------- the standalone checker


@cache
def checker():
    """Return the standalone checker as a module, or None if there is none."""
    if not CHECKER.exists():
        return None
    specification = importlib.util.spec_from_file_location("check_certificate", CHECKER)
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look there
    specification.loader.exec_module(module)
    return module


def arrays_of(stated) -> dict:
    """Return the arrays of a problem's file, as docs/reference describes it."""
    arrays = {"p_x": stated.p, "minimise": stated.minimise}
    if stated.free:
        kind = "mean_squared_error" if stated.mean else "squared_error"
        arrays |= {"distortion": kind, "reproduction": "free", "points": stated.points}
    arrays |= {name if name == "distortion" else f"loss_{name}": table for name, table in stated.linear.items()}
    arrays |= {f"labels_{k}": label for k, label in enumerate(stated.labels)}
    arrays |= {f"entropy_{name}": float(k) for k, name in enumerate(stated.entropies)}
    arrays |= {"letters": stated.letters} if stated.labels else {}
    arrays |= {f"bound_{name}": bound for name, bound in stated.bounds.items() if name != stated.minimise}
    arrays |= {} if stated.rate is None else {"rate_bound": stated.rate}
    if stated.multipliers is not None:
        arrays |= {f"multiplier_{name}": stated.multipliers.get(name, 0.0) for name in stated.loss_names}
    return arrays


def judge_file(stated, result, findings) -> None:
    """Save a result and its problem, let the standalone checker read both, and report what it faults."""
    module = checker()
    is_empty = not result.letters.size and result.status.name != "INFEASIBLE"
    if module is None or is_empty or result.certificate is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        at, beside = Path(folder, "result.npz"), Path(folder, "problem.npz")
        result.save(at)
        np.savez(beside, **arrays_of(stated))
        if _version(at) < 2 and (stated.free or stated.labels):
            return  # files of the first version hold no proof of prices
        report = module.check(str(at), str(beside))
    findings.note("checked")
    if not report.valid and says_so(result) and all("exceeds the limit" in str(fault) for fault in report.faults):
        findings.note("within_rounding_said")
    elif not report.valid:
        findings.error("checker", "; ".join(map(str, report.faults))[:400])


def says_so(*results) -> bool:
    """Return whether an answer says of itself that its channel exceeds a limit by no more than rounding."""
    return any("met only within rounding" in result.message for result in results)


def reads_as_least(result, name: str) -> bool:
    """Return whether an answer says that it reads the limit on a loss as the least value, which is above it."""
    return f"the limit on {name} is below its least value by a rounding" in result.message


def _version(path) -> int:
    """Return the version of a result's file."""
    with np.load(path) as file:
        return int(json.loads(str(file["header"]))["version"])
