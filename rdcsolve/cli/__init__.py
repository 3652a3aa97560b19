"""The command ``rdcsolve``: what the library does, from a terminal."""

import sys
from typing import Any

from rdcsolve import extras

__all__ = ["app"]

try:
    from rdcsolve.cli.app import app
except ModuleNotFoundError as error:
    _missing = extras.missing_for(error.name, "the command rdcsolve")
    if _missing is None:
        raise

    def app(*_: Any, **__: Any) -> None:  # type: ignore[misc]
        """Say what to install, as commands say what is wrong."""
        sys.stderr.write(f"error: {_missing}\n")
        raise SystemExit(2)
