"""Files of tensors: written whole or not at all, read as data only."""

from __future__ import annotations

import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from rdcsolve.errors import UnreadableFile
from rdcsolve.writing import whole_file


def save_checkpoint(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Write tensors, numbers and texts to a file, under a temporary name first.

    Raises
    ------
    SaveFailed
        If it cannot be written; what was there before is still there.
    """
    with whole_file(Path(path)) as stream:
        torch.save(content, stream)


def load_checkpoint(path: str | os.PathLike[str], kind: str) -> dict[str, Any]:
    """Return what `save_checkpoint` wrote; nothing in the file is executed.

    Raises
    ------
    UnreadableFile
        If the file is missing, corrupt, not of this kind, or holds anything but data.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:  # torch compares no checksums
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strange pickles, refused below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UnreadableFile(f"{path} does not exist; check the path") from None
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read ({error.strerror or error})") from error
    except Exception as error:  # a broken pickle makes its reader fail in any way
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UnreadableFile(
            f"{path} is corrupt, or holds more than tensors and numbers ({reason}); remove it and train again"
        ) from error
    if not isinstance(content, dict) or content.get("kind") != kind:
        held = content.get("kind") if isinstance(content, dict) else None
        raise UnreadableFile(f"{path} holds {held or 'something else'}, not a {kind}; give a file with a {kind}")
    return content


def restore(module: torch.nn.Module, state: Any, path: str | os.PathLike[str], part: str) -> None:
    """Load a module's state.

    Raises
    ------
    UnreadableFile
        If it is of a network of another shape.
    """
    try:
        module.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise UnreadableFile(f"{path}: its {part} does not fit the network it names ({reason})") from error
