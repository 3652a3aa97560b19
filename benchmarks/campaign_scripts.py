"""A problem of the campaign as a script of its own: public names and literal numbers."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np

HEAD = '''"""{title}

Found by the random campaign: ({family}, {seed}).
"""

import math

import numpy as np

import rdcsolve as rdc

inf = math.inf
p = np.array({p!r})
labels = [{labels}]
'''


def script_of(stated, record: dict) -> str:
    """Return a script that states the problem, solves it, and prints what its errors are about."""
    kinds = ", ".join(sorted({error["kind"] for error in record["errors"]})) or record["status"]
    labels = ", ".join(f"np.array({label.tolist()!r})" for label in stated.labels)
    head = HEAD.format(title=f"{kinds}.", family=stated.family, seed=stated.seed, p=stated.p.tolist(), labels=labels)
    details = "".join(f"# {error['kind']}: {error['detail']}\n" for error in record["errors"])
    return head + _statement(stated) + "\n" + details + _work(stated)


def _statement(stated) -> str:
    lines = [f"limits = [rdc.LossLimit(inf, np.array({table.tolist()!r}), {name!r})" for name, table in _others(stated)]
    lines = [line.replace("limits = [", "limits.append(") + ")" for line in lines]
    lines = ["limits = []", *lines, "limits += [rdc.LabelEntropyLimit(inf, k) for k in range(len(labels))]"]
    if stated.free:
        kind = "mean_squared_error" if stated.mean else "squared_error"
        lines.append(f"x = np.array({stated.points.tolist()!r})")
        lines.append(f"problem = rdc.Problem(rdc.Source(x, p, labels=labels), 'free', {kind!r}, limits)")
    else:
        lines.append(f"d = np.array({stated.linear['distortion'].tolist()!r})")
        source = "rdc.Source(None, p, labels=labels)"
        lines.append(f"problem = rdc.Problem({source}, distortion=d, limits=limits, letters={stated.letters!r})")
    return "\n".join([*lines, *_limits(stated), ""])


def _others(stated):
    return list(stated.linear.items())[1:]


def _limits(stated) -> list[str]:
    if stated.multipliers is not None:
        return [f"problem = problem.at_multipliers(**{stated.multipliers!r})"]
    lines = [f"problem = problem.with_limits(**{stated.bounds!r})"] if stated.bounds else []
    if stated.minimise != "rate":
        lines.append(f"problem = problem.minimising({stated.minimise!r}, rate={stated.rate!r})")
    elif stated.rate is not None:
        lines.append(f"problem = problem.with_limits(rate={stated.rate!r})")
    return lines


def _work(stated) -> str:
    if stated.family == "region":
        text = f"""
        encoder = np.array({stated.encoder.tolist()!r})
        region = rdc.achievable_region(encoder, problem, {stated.pair!r})
        print(region, region.vertices, region.outer, region.letters, sep="\\n")
        """
    elif stated.family == "universal":
        text = f"""
        targets = {list(stated.targets)!r}
        universal = rdc.universal_rate(problem, targets)
        print(universal)
        for target, decoder in zip(universal.targets, universal.decoders):
            print(target, {{name: decoder.losses[name] - bound for name, bound in target.items()}})
        if universal.decoders:
            print(universal.verify(problem), universal.verify(problem, arithmetic="ball"), sep="\\n")
        """
    else:
        text = """
        result = rdc.solve(problem)
        print(result)
        for name, bound in zip(problem.loss_names, problem.bounds):
            print(name, result.losses.get(name, math.nan), "limit", bound)
        if result.certificate is not None and result.letters.size:
            for arithmetic in ("float", "ball"):
                check = result.certificate.verify(problem, arithmetic=arithmetic)
                print(check, f"claimed {result.objective_lower!r} to {result.objective_upper!r}", sep="\\n")
        """
    return textwrap.dedent(text)


def write_script(stated, record: dict, folder) -> Path:
    """Write the script into a folder, and return where."""
    path = Path(folder, f"{stated.family}_{stated.seed}.py")
    path.parent.mkdir(parents=True, exist_ok=True)
    with np.printoptions(threshold=10**9):
        text = stated.script() if stated.family == "perception" else script_of(stated, record)
        path.write_text(text, encoding="utf-8")
    return path
