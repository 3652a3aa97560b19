"""Mass that is moved to make a law exact, which no channel of floats is: how much, and what that costs.

Without forbidden pairs what letters show is sent through a kernel that moves the mass that is misplaced. That raises
neither the rate (data processing) nor what letters leave unknown of labels, and no loss by more than its spread times
the mass. Where pairs are forbidden the joint law is changed along a tree of pairs that are in use: see `_along_pairs`.
Laws of classes are made exact by a kernel for each class, which raises the rate a little: see `_by_classes`.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from rdcsolve.certificates.tolerances import LIMIT_TOLERANCE
from rdcsolve.problems import Problem
from rdcsolve.rounding import EPS, units, up

_LARGE = 16.0  # times what is moved: masses of pairs that are surely large enough to lose it


class Move(NamedTuple):
    """What is moved in all, by how much the rate is higher then, nats, and what of the mass counts against limits.

    Floats have a slack for limits, but not for what is minimised.
    """

    mass: float = 0.0
    rate: float = 0.0
    against: float = 0.0


def move_of(problem: Problem, laws: list[Any], distances: dict[str, float], numbers: Any, arithmetic: str) -> Move:
    """Return the move that makes a law exact, none where it is not allowed; see the page on the certificate file."""
    exact = [law for law in laws if law.has_to_be_exact]
    is_allowed = bool(exact) and problem.letters != "fixed"
    is_allowed = is_allowed and all(law.can_be_exact for law in exact)
    if not is_allowed or problem.multipliers is not None:
        return Move()
    missed = [distances[law.perception.name] for law in exact]
    mass = max(missed)
    if not 0 < mass <= LIMIT_TOLERANCE:
        return Move()
    if len(exact) > 1 or exact[0].is_of_class:
        move = _by_classes(problem, exact, numbers, distances)
    elif problem.forbidden is None:
        move = Move(mass)
    else:
        move = Move() if problem.label_entropies else _along_pairs(exact[0], numbers, mass)
    return move._replace(against=move.mass if arithmetic == "ball" else 0.0)


def _by_classes(problem: Problem, exact: list[Any], numbers: Any, distances: dict[str, float]) -> Move:
    """Return the move that makes laws of classes exact that have no symbol in common.

    What symbols of a class show is sent through a kernel of the class's own. A reproduction A' that differs from A with
    a probability of at most delta is known from A, whether it differs, and its own value where it does: so its rate is
    at most h(delta) + delta log k higher, k being how many letters there are.
    """
    own = [numbers.own(law.perception.members) for law in exact if law.is_of_class]
    if problem.label_entropies or problem.forbidden is not None or len(own) < len(exact):
        return Move()
    if int(np.sum([members > 0 for members in own], axis=0).max()) > 1:
        return Move()
    pairs = zip(exact, own, strict=True)
    mass = up(math.fsum(_sent(law, members, numbers, distances[law.perception.name]) for law, members in pairs))
    return Move(mass, rate_of_difference(mass, problem.n_letters))


def _sent(law: Any, members: np.ndarray, numbers: Any, missed: float) -> float:
    """Return how much mass is sent elsewhere at most, so that a share `missed` of the class's is not misplaced.

    A symbol's mass counts as it belongs to the class, so that more of it has to be sent: at each place that of symbols
    that belong to the class most, as many as show enough there.
    """
    least, places = float(members[members > 0].min()), law.places_of_atoms()
    if places is None:
        return up(missed / least)
    sums = np.array([math.fsum(row) for row in numbers.channel.tolist()])
    rows = (numbers.masses * members / sums)[:, None] * numbers.channel
    shown = law.perception.place[numbers.letters]
    have = np.array([math.fsum(rows[:, shown == place].ravel().tolist()) for place in range(law.perception.n_places)])
    target = np.bincount(places, law.perception.target, have.size) * (math.fsum(have.tolist()) / (1.0 + law.over))
    error = units(8 + np.bincount(places[law.perception.target > 0], minlength=have.size).max())
    excess = np.maximum(have * (1 + error) - target * (1 - error), 0.0)
    at_places = np.zeros((have.size, members.size))
    np.add.at(at_places, shown, rows.T)
    order = np.argsort(-members, kind="stable")
    is_enough = np.cumsum(at_places[:, order], axis=1) >= _LARGE * excess[:, None]
    counted = np.where(is_enough.any(axis=1), members[order][is_enough.argmax(axis=1)], least)
    return max(missed, up(float((excess / counted).sum()) / float(numbers.masses.sum()) * (1 + 1e-9)))


def rate_of_difference(mass: float, count: int) -> float:
    """Return by how much a rate may rise, nats, where one of `count` letters is another with a small probability."""
    return up(mass * (math.log(count) + 1 - math.log(mass)) * (1 + 16 * EPS))  # h(d) <= d - d log d


def _along_pairs(exact: Any, numbers: Any, mass: float) -> Move:
    """Return the move along pairs in use, each of which gains or loses no more than the mass that is misplaced.

    The pairs of symbols and places with large masses are the edges of a graph. A tree in each of its connected parts
    carries what places have too much to where they have too little, if the parts are balanced: as much mass of symbols
    as of the target. That is so for a single part, and else has to be so exactly. With Z on the edges, sums over rows
    being zero, the joint law pi + Z has the rate I + sum Z log(pi / p r) + sum Z^2 / pi at most, r being the law of the
    letters before; losses rise by no more than their spread times sum |Z|.
    """
    places = exact.places_of_atoms()
    if places is None:
        return Move()
    perception, masses = exact.perception, numbers.masses
    target = perception.target
    wanted = np.zeros(perception.n_places, dtype=bool)
    wanted[places[target > 0]] = True
    joint = numbers.channel * (masses / masses.sum())[:, None]
    shown = perception.place[numbers.letters]
    if (numbers.channel[:, ~wanted[shown]] > 0).any():
        return Move()
    large = joint >= _LARGE * max(mass, 1e-300)
    if not large.any():
        return Move()
    if not _is_balanced(large, shown, wanted, masses, (places, target)):
        return Move()
    letters = joint.sum(axis=0)
    rows, columns = np.nonzero(large)
    logs = np.abs(np.log(numbers.channel[rows, columns] / letters[columns]))
    total = up(mass * (masses.size + int(wanted.sum())) * (1 + 1e-9))
    return Move(total, up(total * (float(logs.max()) * (1 + 1e-9) + 1.0)))


def _is_balanced(
    large: np.ndarray, shown: np.ndarray, wanted: np.ndarray, masses: np.ndarray, law: tuple[np.ndarray, np.ndarray]
) -> bool:
    """Return whether the connected parts of symbols and places have as much mass of the one as of the other."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    places, target = law
    n, size = masses.size, masses.size + wanted.size
    rows, columns = np.nonzero(large)
    graph = coo_array((np.ones(rows.size), (rows, n + shown[columns])), shape=(size, size))
    _, part = connected_components(graph, directed=False)
    used = np.concatenate([np.arange(n), n + np.flatnonzero(wanted)])
    if np.unique(part[used]).size == 1:
        return True
    balance = dict.fromkeys(part[used].tolist(), Fraction(0))
    whole = [sum(map(Fraction, numbers.tolist()), Fraction(0)) for numbers in (masses, target)]
    for i, mass in enumerate(masses.tolist()):
        balance[int(part[i])] += Fraction(mass) / whole[0]
    for atom, mass in enumerate(target.tolist()):
        if mass:
            balance[int(part[n + places[atom]])] -= Fraction(mass) / whole[1]
    return all(value == 0 for value in balance.values()) and math.isfinite(float(whole[0]))
