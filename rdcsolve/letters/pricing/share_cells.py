"""Bounds of a price over cells of shares, for any number of classes: compiled kernels.

A binary tree joins the classes of every label. Decisions, and what a term's row is certain of, are told by the shares
rho_v of a join's mass that its first child has; a cell bounds every share to an interval. With powers b, masses W_v of
joins and L_v, R_v of their children, the logarithm of the largest price of a cell is the largest value, over laws g of
the rows whose shares are in the cell, of

    H(g) + <g, log a> - sum_v m_v h(rho_v),    m_v = sum_i g_i W_vi,  rho_v = sum_i g_i L_vi / m_v.

A share gamma of the last sum, gamma times the largest sum of a row's powers being one, leaves H(g) concave. Of the rest
-m_v h(rho_v) is at most sum_i g_i W_vi psi_v(L_vi / W_vi) for every convex psi_v that is no less than -h on the cell's
interval (Jensen), and nu_v (sum_i g_i L_vi - end_v m_v) >= 0 if end_v is the end of the interval on the side of nu_v's
sign. What is left is the largest value of a concave price with other weights, and a tangent bounds it. See the page on
label entropy for the proof, and for the second bound: cells around a letter.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from rdcsolve.letters.pricing.compiled import compiled, copy, dot

N_FORMS = 10
_FAST = {"reassoc", "contract", "nsz", "nnan"}
_LOWEST = -700.0  # logarithms of terms below the largest: less is no term
_PER_LOG_2, _LOG_2_HIGH, _LOG_2_LOW = 1.4426950408889634, 6.93147180369123816490e-01, 1.90821492927058770002e-10
_ROUND = 1.5 * 2.0**52
_THIN = 1e-3  # widths of cells, as shares of the smaller end, below which lines have the slope of their middle
_LEAST = 1e-30  # entry of a place
_NO_LINE = -1e300  # the height of a line that is none
_STEEPEST = 6.0  # change of a multiplier at a time, in nats
_LARGEST_Z = 3.0
_PATIENCE = 16  # turns without a smaller bound
_LEAST_DAMPING = 1e-4
_NEAR = 0.2  # of how far the value is above the threshold: with a tangent as near as that multipliers may move on


@numba.njit(cache=True, nogil=True, boundscheck=False, error_model="numpy", fastmath=_FAST)
def largest(values):  # type: ignore[no-untyped-def]
    """Return the largest entry, none of which is no number."""
    top = values[0]
    for i in range(values.size):
        top = max(top, values[i])
    return top


@numba.njit(cache=True, nogil=True, boundscheck=False, error_model="numpy", fastmath=_FAST)
def entries_sum(values):  # type: ignore[no-untyped-def]
    """Return the sum of all entries."""
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total


@numba.njit(cache=True, nogil=True, boundscheck=False, error_model="numpy", fastmath=_FAST)
def dot_of_three(one, other, third):  # type: ignore[no-untyped-def]
    """Return the sum of products of three entries each."""
    total = 0.0
    for i in range(one.size):
        total += one[i] * other[i] * third[i]
    return total


@compiled
def exponentials(values, top):  # type: ignore[no-untyped-def]
    """Overwrite every x by e^(x - top), to a few units in the last place; in vector registers, unlike math.exp."""
    scales = np.empty(values.size)
    bits = scales.view(np.int64)
    for i in range(values.size):
        x = max(values[i] - top, _LOWEST)
        rounded = x * _PER_LOG_2 + _ROUND  # beside so large a number there is no room for a fraction
        scales[i] = rounded
        count = rounded - _ROUND
        x = (x - count * _LOG_2_HIGH) - count * _LOG_2_LOW
        series = 1 + x * (1 / 9) * (1 + x * (1 / 10) * (1 + x * (1 / 11) * (1 + x * (1 / 12) * (1 + x * (1 / 13)))))
        series = 1 + x * (1 / 5) * (1 + x * (1 / 6) * (1 + x * (1 / 7) * (1 + x * (1 / 8) * series)))
        values[i] = 1 + x * (1 + x * (1 / 2) * (1 + x * (1 / 3) * (1 + x * (1 / 4) * series)))
    for i in range(values.size):
        bits[i] = (bits[i] + 1023) << 52  # two to the count
    for i in range(values.size):
        values[i] *= scales[i]


@compiled
def negative_entropy(x):  # type: ignore[no-untyped-def]
    """Return x log x + (1 - x) log(1 - x)."""
    value = 0.0
    if x > 0:
        value += x * math.log(x)
    if x < 1:
        value += (1 - x) * math.log(1 - x)
    return value


@compiled
def ends_of(form, low, high):  # type: ignore[no-untyped-def]
    """Return where psi is -h itself: from a to b; form 0 is a single line, for which they are not used."""
    if form == 0:
        return low, high
    a = low + 0.25 * ((form - 1) // 3) * (high - low)
    b = high - 0.25 * ((form - 1) % 3) * (high - low)
    return a, max(a, b)


@compiled
def line_over(low, high):  # type: ignore[no-untyped-def]
    """Return slope and intercept of a line that is no less than -h on an interval."""
    at_low, at_high = negative_entropy(low), negative_entropy(high)
    width = high - low
    if width < _THIN * min(low, 1.0 - high):
        # the quotient of a thin cell would be nothing but rounding, and other arithmetic would find another line
        middle, other = low + 0.5 * width, 1.0 - (low + 0.5 * width)
        slope = math.log(middle / other) + width**2 / 24 * (1 / other**2 - 1 / middle**2)
    else:
        slope = (at_high - at_low) / width if width > 0 else 0.0
    return slope, max(at_low - slope * low, at_high - slope * high)


@compiled
def write_form(form, low, high, left, right, whole, inside, share, out):  # type: ignore[no-untyped-def]
    """Write W psi(L / W) of every row: psi is -h on [a, b], and straight beyond."""
    n = left.size
    if form == 0:
        slope, rest = line_over(low, high)
        for i in range(n):
            out[i] = slope * left[i] + rest * whole[i]
        return
    a, b = ends_of(form, low, high)
    log_a, log_not_a = math.log(a) if a > 0 else 0.0, math.log(1 - a)
    log_b, log_not_b = math.log(b), math.log(1 - b) if b < 1 else 0.0
    slope_below, rest_below = line_over(low, a) if a > low else (0.0, _NO_LINE)
    slope_above, rest_above = line_over(b, high) if b < high else (0.0, _NO_LINE)
    for i in range(n):
        below = max(left[i] * log_a + right[i] * log_not_a, slope_below * left[i] + rest_below * whole[i])
        above = max(left[i] * log_b + right[i] * log_not_b, slope_above * left[i] + rest_above * whole[i])
        out[i] = below if share[i] < a else above if share[i] > b else inside[i]


@compiled
def best_form(low, high, left, right, whole, inside, share, g, scratch):  # type: ignore[no-untyped-def]
    """Return the form of psi that costs least under the law g."""
    best, chosen = math.inf, 0
    for form in range(N_FORMS):
        write_form(form, low, high, left, right, whole, inside, share, scratch)
        cost = dot(g, scratch)
        if cost < best:
            best, chosen = cost, form
    return chosen


@compiled
def add_up(joins, n_classes, masses):  # type: ignore[no-untyped-def]
    """Fill in the masses of joins, from those of classes."""
    for v in range(joins.shape[0]):
        masses[n_classes + v] = masses[joins[v, 0]] + masses[joins[v, 1]]


@compiled
def weigh(log_weights, powers, joins, gamma, base, low, high, slopes, place, coefficients, terms):  # type: ignore[no-untyped-def]
    """Write the terms of the concave price at a place, less their largest exponent, which is returned."""
    n_classes, n = powers.shape
    for s in range(coefficients.size):
        coefficients[s] = 0.0
    for v in range(joins.shape[0] - 1, -1, -1):
        end = low[v] if slopes[v] > 0 else high[v]
        above = coefficients[n_classes + v]
        coefficients[joins[v, 0]] = above + slopes[v] * (1 - end)
        coefficients[joins[v, 1]] = above - slopes[v] * end
    for i in range(n):
        terms[i] = log_weights[i] + base[i]
    for s in range(n_classes):
        coefficient = coefficients[s] + gamma * math.log(place[s])
        row = powers[s]
        for i in range(n):
            terms[i] += row[i] * coefficient
    top = largest(terms)
    exponentials(terms, top)
    return top


@compiled
def tangent(terms, powers, offsets, gamma, idle, place, masses):  # type: ignore[no-untyped-def]
    """Return the sum of the terms and the largest value of the tangent; write the classes' masses."""
    total, bound = entries_sum(terms), dot(terms, idle)
    for s in range(powers.shape[0]):
        masses[s] = dot(terms, powers[s])
    for k in range(offsets.size - 1):
        steepest = 0.0
        for s in range(offsets[k], offsets[k + 1]):
            steepest = max(steepest, masses[s] / place[s])
        bound += gamma * steepest
    return total, bound


@compiled
def improve(  # type: ignore[no-untyped-def]
    log_weights,
    powers,
    offsets,
    joins,
    left,
    share_of_row,
    gamma,
    idle,
    base,
    low,
    high,
    slopes,
    place,
    threshold,
    most,
    masses,
    coefficients,
    terms,
    best_slopes,
    best_place,
):
    """Improve a cell's multipliers and place by turns, and return the least bound, and how many turns it took.

    A turn is a mean shift of the place and a step of the multipliers towards shares in the cell. Once that does not
    lower the bound any more, multipliers wait until shifts have brought the tangent near, and a step that raises the
    value there is taken back. What is stored is rounded to single precision first, so that the bound belongs to the
    rounded numbers.
    """
    n_classes, n = powers.shape
    n_joins = joins.shape[0]
    least, violation = math.inf, math.inf
    turn, stale, damping, careful, accepted = 0, 0, 1.0, False, math.inf
    squares, kept_slopes, kept_place = np.ones(n_joins), slopes.copy(), place.copy()
    while True:
        top = weigh(log_weights, powers, joins, gamma, base, low, high, slopes, place, coefficients, terms)
        total, bound = tangent(terms, powers, offsets, gamma, idle, place, masses)
        value, bound = top + math.log(total), top + math.log(bound)
        if bound < least:
            least = bound
            copy(slopes, best_slopes)
            copy(place, best_place)
            stale = 0
        else:
            stale += 1
        allowed = 0.2 * max(least - threshold, 1e-12)
        turn += 1
        if least <= threshold or turn >= most or (bound - value <= allowed and violation <= allowed):
            return least, turn
        moves = True
        if not careful and stale > _PATIENCE:
            # the place lags behind the multipliers, or steps of many joins at a time are too long together
            careful, damping = True, 0.25
            copy(best_slopes, kept_slopes)
            copy(best_place, kept_place)
            copy(best_slopes, slopes)
            copy(best_place, place)
            continue
        if careful:
            moves = bound - value <= _NEAR * max(value - threshold, 1e-12)
            if moves and value > accepted:  # the last step was too long: a shorter one from where it began
                damping *= 0.25
                if damping < _LEAST_DAMPING:
                    return least, turn
                copy(kept_slopes, slopes)
                copy(kept_place, place)
                weigh(log_weights, powers, joins, gamma, base, low, high, slopes, place, coefficients, terms)
                total, _ = tangent(terms, powers, offsets, gamma, idle, place, masses)
            elif moves:
                damping = min(1.5 * damping, 1.0)
                accepted = value
                copy(slopes, kept_slopes)
                copy(place, kept_place)
        add_up(joins, n_classes, masses)
        for k in range(offsets.size - 1):
            size = 0.0
            for s in range(offsets[k], offsets[k + 1]):
                size += masses[s]
            for s in range(offsets[k], offsets[k + 1]):
                place[s] = np.float64(np.float32(max(masses[s] / size, _LEAST)))
        if not moves:
            continue
        violation = 0.0
        scale = damping if careful else 1.0 / (1.0 + 0.15 * max(turn - 8, 0))
        for v in range(n_joins):
            mass = masses[n_classes + v]
            if not mass > 0:
                continue
            share = min(max(masses[joins[v, 0]] / mass, 1e-15), 1 - 1e-15)
            slope = slopes[v]
            is_below = (slope > 0 or (slope == 0 and share < low[v])) and low[v] > 0
            is_above = (slope < 0 or (slope == 0 and share > high[v])) and high[v] < 1
            if not (is_below or is_above):
                continue
            if turn % 4 == 1 or careful:
                square = dot_of_three(terms, left[v], share_of_row[v])
                squares[v] = max((square / mass - share * share) / (share * (1 - share)), 1e-3)
            step = scale * min(max((1 - squares[v]) / squares[v], 0.2), 60.0)
            end = low[v] if is_below else high[v]
            change = step * (math.log(end / (1 - end)) - math.log(share / (1 - share)))
            missing = max(end - share, 0.0) if is_below else max(share - end, 0.0)
            violation += mass / total * (abs(slope * (share - end)) + gamma * missing * abs(change))
            change = gamma * min(max(change, -_STEEPEST), _STEEPEST)
            slopes[v] = np.float64(np.float32(max(0.0, slope + change) if is_below else min(0.0, slope + change)))


@compiled
def price_at(log_weights, powers, place, terms):  # type: ignore[no-untyped-def]
    """Return the logarithm of the price at a place, and write the terms less their largest exponent."""
    n_classes, n = powers.shape
    for i in range(n):
        terms[i] = log_weights[i]
    for s in range(n_classes):
        log = math.log(max(place[s], 1e-300))
        row = powers[s]
        for i in range(n):
            terms[i] += row[i] * log
    top = largest(terms)
    exponentials(terms, top)
    return top + math.log(entries_sum(terms))


@compiled
def quotient(x, share):  # type: ignore[no-untyped-def]
    """Return a number no less than kl(x || share) / (x - share)^2; see the page for both bounds."""
    smooth = math.inf
    if 0 < x < 1:
        smooth = 1 / (3 * share * (1 - share)) + 1 / (6 * x * (1 - x))
    apart = abs(x - share)
    if apart < 1e-4:
        return smooth
    divergence = 0.0
    if x > 0:
        divergence += x * math.log(x / share)
    if x < 1:
        divergence += (1 - x) * math.log((1 - x) / (1 - share))
    return min(smooth, (divergence + 1e-14) / (apart * apart))


@compiled
def nearest_letter(low, high, shares, masses):  # type: ignore[no-untyped-def]
    """Return the letter that a cell is nearest to, and how near."""
    best, chosen = math.inf, -1
    for k in range(shares.shape[0]):
        far = 0.0
        for v in range(shares.shape[1]):
            share = shares[k, v]
            apart = max(abs(low[v] - share), abs(high[v] - share))
            far += masses[k, v] * apart * apart / (share * (1 - share))
            if far > best:
                break
        if far < best:
            best, chosen = far, k
    return chosen, best


@compiled
def around(low, high, share, mass, drift, slants, products, whole, log_price, scratch):  # type: ignore[no-untyped-def]
    """Return the logarithm of a bound of the prices of a cell around a letter, inf where there is none.

    share, mass, drift (V,): of the letter; slants (V, n): L - share W; products (V, V): their mean products.
    """
    n_joins, n = slants.shape
    weights = np.empty(n_joins)
    linear, size = 0.0, 0.0
    for i in range(n):
        scratch[i] = 0.0
    for v in range(n_joins):
        reach = max(abs(low[v] - share[v]), abs(high[v] - share[v]))
        weight = max(quotient(low[v], share[v]), quotient(high[v], share[v]))
        weights[v] = math.sqrt(weight / max(mass[v], 1e-300))
        linear += 2 * weight * reach * abs(drift[v])
        size += weight * mass[v] * reach * reach
        for i in range(n):
            scratch[i] += 2 * weight * reach * abs(slants[v, i])
    steepest = largest(scratch)
    if not steepest <= _LARGEST_Z:
        return math.inf
    for i in range(n):
        scratch[i] = 0.0
    for v in range(n_joins):
        reach = max(abs(low[v] - share[v]), abs(high[v] - share[v]))
        weight = weights[v] * weights[v] * max(mass[v], 1e-300)
        for i in range(n):
            scratch[i] += weight * reach * reach * whole[v, i]
    widest = largest(scratch)
    psi, term = 0.0, 1.0
    for m in range(40):
        psi += term
        term *= steepest / (m + 3)
    form = np.empty((n_joins, n_joins))
    for v in range(n_joins):
        for x in range(n_joins):
            form[v, x] = weights[v] * weights[x] * products[v, x]
    second = 2 * psi * max(np.linalg.eigvalsh(form)[-1], 0.0) * (1 + 1e-9)
    bend = (math.sqrt(second) + math.sqrt(0.5 * psi * widest)) ** 2 - 1
    return log_price + math.log1p(linear + max(bend + 1e-11, 0.0) * size)
