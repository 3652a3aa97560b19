"""What ends a run at a chosen look at the clock, for tests of what is left then."""

import math

from rdcsolve import deadline


class Looks:
    """`deadline.look`, counted, with something that happens at one of them."""

    def __init__(self, at=math.inf, happens=None):
        self.real, self.at, self.happens, self.count = deadline.look, at, happens, 0

    def __call__(self):
        self.count += 1
        if self.count == self.at:
            self.happens()
        self.real()


def interrupt():
    raise KeyboardInterrupt


def time_passes():
    end = deadline._end.get()
    end.stated = end.moved = deadline.clock() - 1.0
