"""Which tests are slow is measured: `make slow-tests` runs all of them and writes the list slow.txt.

What the list names gets the marker `slow`, as if it stood in the code, and `pytest -m "not slow"` leaves it out.
Measured is CPU time, with that of child processes, so that a busy machine changes little; and where a fixture takes
long, so does every test that needs it, whichever comes first.
"""

import collections
import resource
from pathlib import Path

import pytest

FILE = Path(__file__).with_name("slow.txt")
CASE = 0.2  # seconds that make a case, or a fixture, slow
FUNCTION = 0.4  # seconds of all cases of a function together, but for those that are slow one by one
_HEADER = "# Tests that take long, by CPU time: written by `make slow-tests`. A function stands for all its cases.\n"


def mark(items):
    """Give what the list names its marker."""
    lines = FILE.read_text().splitlines() if FILE.exists() else []
    listed = {line for line in lines if not line.startswith("#")}
    for item in items:
        if not listed.isdisjoint({_name(item), _function(_name(item))}):
            item.add_marker("slow")


class Measure:
    """A plugin that measures every test and fixture, in one process, and writes the list."""

    def __init__(self):
        self.tests, self.fixtures, self.seconds = {}, collections.Counter(), []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        """Measure a test without its fixtures."""
        began = _cpu()
        try:
            return (yield)
        finally:
            self.tests[_name(item)] = _cpu() - began

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        """Measure a fixture without those that it needs in turn, which are set up before."""
        began = _cpu()
        try:
            return (yield)
        finally:
            key = fixturedef.baseid, fixturedef.argname
            self.fixtures[key] = max(self.fixtures[key], _cpu() - began)

    def pytest_sessionfinish(self, session):
        """Write the list, once all tests have passed."""
        dear = [key for key, cpu in self.fixtures.items() if cpu > CASE]
        for item in session.items:
            if any(item.nodeid.startswith(place) and name in item.fixturenames for place, name in dear):
                self.tests[_name(item)] = CASE + self.tests.get(_name(item), 0.0)
        FILE.write_text(_HEADER + "".join(f"{name}\n" for name in slow_among(self.tests)))


def slow_among(seconds):
    """Return the names of the slow among measured tests, sorted: functions of which no case is left, or cases."""
    of_function = collections.defaultdict(dict)
    for name, cpu in seconds.items():
        of_function[_function(name)][name] = cpu
    slow = []
    for function, cases in of_function.items():
        dear = [name for name, cpu in cases.items() if cpu >= CASE]
        rest = sum(cpu for cpu in cases.values() if cpu < CASE)
        slow += [function] if rest > FUNCTION or len(dear) == len(cases) else dear
    return sorted(slow)


def _name(item):
    """Return where a test stands below this folder."""
    return item.nodeid.removeprefix("tests/")


def _function(name):
    return name.partition("[")[0]


def _cpu():
    """Return the CPU seconds of this process and of children that ended."""
    clocks = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(clock.ru_utime + clock.ru_stime for clock in clocks)
