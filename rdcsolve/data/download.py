"""Data sets from their public mirrors: a file gets its name once it has arrived whole and is the right one."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import os
import secrets
import urllib.error
import urllib.request
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path

from rdcsolve.errors import SaveFailed, UnreadableFile

MIRRORS = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    "fashion-mnist": ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
}
"""Where the packed files of a data set lie, in the order in which they are tried; SHA-256 decides, not trust."""

_SECONDS = 30.0  # of silence until a mirror counts as down
_BLOCK = 1 << 16
_LARGEST = 1 << 26  # bytes, packed or not: more than any of the files has


class _MirrorFailed(Exception):
    """A mirror did not give the file; the next one may."""


def fetch(dataset: str, name: str, folder: Path, digest: str) -> Path:
    """Download one packed file of a data set, and report progress if standard error is a terminal.

    Parameters
    ----------
    dataset : str
        A key of `MIRRORS`.
    name : str
        Of the file, without ``.gz``.
    folder : pathlib.Path
        Where to put it; made if it does not exist.
    digest : str
        The SHA-256 of the unpacked file, in hexadecimal digits.

    Returns
    -------
    pathlib.Path
        The packed file.

    Raises
    ------
    UnreadableFile
        If no mirror gives the right file. Nothing is left behind, here and below.
    SaveFailed
        If the file cannot be written.
    KeyboardInterrupt
        When interrupted.
    """
    path = folder / f"{name}.gz"
    failures = []
    with _folder_to_fill(folder):
        for mirror in MIRRORS[dataset]:
            partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
            try:
                _copy(mirror + path.name, partial)
                _check(partial, digest)
                os.replace(partial, path)
                return path
            except _MirrorFailed as failure:
                failures.append(f"{mirror} {failure}")
            except OSError as error:  # of the disk: those of the network are failures of a mirror
                raise SaveFailed(
                    f"{path} was not written ({error.strerror or error}); free some space there, or choose a "
                    "folder you may write to"
                ) from error
            except KeyboardInterrupt as interrupt:
                interrupt.add_note(f"nothing was kept of {path.name}; call again to download it from the start")
                raise
            finally:
                with contextlib.suppress(OSError):
                    partial.unlink(missing_ok=True)
    raise UnreadableFile(
        f"{path.name} of {dataset} could not be downloaded: {'; '.join(failures)}. Nothing was kept; check the "
        f"network and call again, or put the file in {folder} yourself"
    )


@contextlib.contextmanager
def _folder_to_fill(folder: Path) -> Iterator[None]:
    """Make the folder, and remove it afterwards if it was made here and is empty."""
    made = [new for new in (folder, *folder.parents) if not os.path.lexists(new)]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SaveFailed(
                f"{folder} cannot be made ({error.strerror or error}); choose a folder you may write to"
            ) from error
        yield
    finally:
        for new in made:
            with contextlib.suppress(OSError):  # where something lies in it
                new.rmdir()


def _copy(url: str, partial: Path) -> None:
    """Write what a mirror sends to a file that does not exist yet."""
    with contextlib.closing(_blocks(url)) as blocks, partial.open("xb") as stream:
        for block in blocks:
            stream.write(block)
        stream.flush()
        os.fsync(stream.fileno())


def _blocks(url: str) -> Generator[bytes, None, None]:
    """Yield what a mirror sends, piece by piece; whatever goes wrong on the way is a `_MirrorFailed`."""
    from tqdm.auto import tqdm

    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as response:
            length = response.headers.get("Content-Length") or ""
            total = int(length) if length.isdecimal() else None
            received = 0
            name = url.rpartition("/")[2]
            with tqdm(total=total, unit="B", unit_scale=True, desc=name, disable=None) as bar:
                while block := response.read(_BLOCK):
                    received += len(block)
                    if received > _LARGEST:
                        raise _MirrorFailed(f"sends more than {_LARGEST} bytes")
                    bar.update(len(block))
                    yield block
    except urllib.error.HTTPError as error:
        error.close()
        raise _MirrorFailed(f"answers {error.code} ({error.reason})") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise _MirrorFailed(f"does not answer as it should ({reason})") from error


def _check(partial: Path, digest: str) -> None:
    """Raise `_MirrorFailed` unless the file is sound and has this SHA-256 when unpacked."""
    found = hashlib.sha256()
    try:
        with gzip.open(partial) as stream:
            while block := stream.read(_BLOCK):
                found.update(block)
                if stream.tell() > _LARGEST:
                    break
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _MirrorFailed(f"sent a damaged file ({error})") from error
    if found.hexdigest() != digest:
        raise _MirrorFailed(f"sent a file of other content (SHA-256 {found.hexdigest()})")
