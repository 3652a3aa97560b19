"""The command ``rdcsolve``: what the library does, from a terminal."""

from rdcsolve.cli.app import app

__all__ = ["app"]
