"""The oldest versions that CI tests are the ones that pyproject.toml allows."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def requirements_of(extra, extras):
    """Yield what an extra asks for, the extras of this package that it names included."""
    for requirement in extras[extra]:
        own = re.fullmatch(r"rdcsolve\[(.+)\]", requirement)
        if own is None:
            yield requirement
        else:
            for named in own[1].split(","):
                yield from requirements_of(named, extras)


def test_oldest_versions_are_the_lower_bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *requirements_of("test", project["optional-dependencies"])]
    bounds = dict(requirement.split(">=") for requirement in declared)
    lines = (ROOT / ".ci" / "oldest.txt").read_text().splitlines()
    oldest = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    wrong = {
        name: (bound, oldest.get(name))
        for name, bound in bounds.items()
        if not re.fullmatch(re.escape(bound) + r"(\.0)*", oldest.get(name, ""))
    }
    assert not wrong, f"the lower bound, and the version in .ci/oldest.txt: {wrong}"
