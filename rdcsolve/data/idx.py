"""Images in idx files, the format of MNIST: found in a folder, checked, read. Nothing in a file is ever executed."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from rdcsolve.errors import InvalidInput, UnreadableFile
from rdcsolve.problems.validation import one_of

_PREFIX = {"train": "train", "test": "t10k"}
_N_ITEMS = {"train": 60_000, "test": 10_000}
_N_CLASSES = 10
_BLOCK = 1 << 20  # bytes read at a time: memory follows what a file holds, not what its header claims

_TORCHVISION_NAME = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}
_SHA256 = {  # of the unpacked files; those of Fashion-MNIST were taken from Debian's dataset-fashion-mnist
    "mnist": {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
}


@dataclass(frozen=True)
class _Kind:
    """What a file holds, and the shape of one such item."""

    items: str
    shape: tuple[int, ...]

    @property
    def magic(self) -> int:
        """The first four bytes: entries of one byte (8), and the number of axes."""
        return 0x0800 + 1 + len(self.shape)

    def name(self, part: str) -> str:
        """Return the name of the unpacked file."""
        return f"{_PREFIX[part]}-{self.items}-idx{1 + len(self.shape)}-ubyte"


_IMAGES, _LABELS = _Kind("images", (28, 28)), _Kind("labels", ())


def image_arrays(
    part: str = "train",
    folder: str | os.PathLike[str] | None = None,
    *,
    dataset: str = "mnist",
    download: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the images and classes of MNIST, Fashion-MNIST, or other data in files of the same layout.

    Parameters
    ----------
    part : {"train", "test"}, optional
        The files `train-*` or `t10k-*`.
    folder : path-like, optional
        Where the files lie: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
        `t10k-labels-idx1-ubyte`, each as it is or packed (`.gz`). They may lie in the folder itself, in its subfolder
        `mnist` or `fashion-mnist`, or where torchvision puts them (`MNIST/raw`, `FashionMNIST/raw`). By default
        the environment variable RDCSOLVE_DATA names the folder.
    dataset : {"mnist", "fashion-mnist", "any"}, optional
        Files of the first two must have the SHA-256 of the originals. With ``"any"`` they may hold any images
        of 28 x 28 pixels and any classes from 0 to 255, and must lie in the folder itself.
    download : bool, optional
        Fetch the files of this part that are missing from public mirrors: beside the one that is there, or
        else into the subfolder `mnist` or `fashion-mnist`. Nothing that is there is replaced.

    Returns
    -------
    images : numpy.ndarray
        Shape (n, 28, 28), uint8: 0 is the background.
    classes : numpy.ndarray
        Shape (n,), int64.

    Raises
    ------
    UnreadableFile
        If a file is missing, damaged, does not hold what it should, or cannot be downloaded.
    SaveFailed
        If a downloaded file cannot be written.
    InvalidInput
        If no folder is known, or the data set is not one that can be downloaded.

    Examples
    --------
    >>> import tempfile
    >>> blank = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(2 * 784)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     n_bytes = Path(folder, "t10k-images-idx3-ubyte").write_bytes(blank)
    ...     n_bytes = Path(folder, "t10k-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 4]))
    ...     images, classes = image_arrays("test", folder, dataset="any")
    >>> images.shape, classes.tolist()
    ((2, 28, 28), [7, 4])
    """
    one_of(part, tuple(_PREFIX), "part")
    one_of(dataset, (*_SHA256, "any"), "dataset")
    if download and dataset == "any":
        raise InvalidInput(f"dataset='any' has no place to download from; choose one of {', '.join(_SHA256)}")
    home = _home(part, _folder(folder, part, dataset), dataset, download)
    # What is there comes first: nothing is downloaded to lie beside a file of other data.
    kinds = sorted((_IMAGES, _LABELS), key=lambda kind: _present(home, kind.name(part)) is None)
    paths = {}
    arrays = {}
    for kind in kinds:
        paths[kind] = _present(home, kind.name(part)) or _fetched(kind.name(part), home, dataset)
        arrays[kind] = _checked_items(paths[kind], kind, part, dataset)
    images, classes = arrays[_IMAGES], arrays[_LABELS]
    if len(images) != len(classes):
        raise UnreadableFile(
            f"{paths[_IMAGES]} holds {len(images)} images but {paths[_LABELS]} {len(classes)} labels; "
            "take both files from the same data"
        )
    return images, classes.astype(np.int64)


# ------------------------------------------------------------------------------------------- finding


def _folder(folder: str | os.PathLike[str] | None, part: str, dataset: str) -> Path:
    chosen = os.environ.get("RDCSOLVE_DATA") if folder is None else folder
    if not chosen:
        names = " and ".join(f"{kind.name(part)}.gz" for kind in (_IMAGES, _LABELS))
        cure = "" if dataset == "any" else "; pass download=True as well to have them fetched into that folder"
        raise InvalidInput(
            "folder is not given and the environment variable RDCSOLVE_DATA is not set; let one of them name the "
            f"folder of {names}{cure}"
        )
    return Path(chosen)


def _home(part: str, folder: Path, dataset: str, download: bool) -> Path:
    """Return the place that holds most files of the part; among equals the first, which names the data set."""
    places = [folder]
    if dataset != "any":
        places = [folder / dataset, folder / _TORCHVISION_NAME[dataset] / "raw", folder]
    names = [_IMAGES.name(part), _LABELS.name(part)]
    home = max(places, key=lambda place: sum(_present(place, name) is not None for name in names))
    missing = [name for name in names if _present(home, name) is None]
    if not missing or download:
        return home
    if not folder.is_dir():
        state = "is not a folder" if folder.exists() else "does not exist"
        raise UnreadableFile(f"{folder} {state}; name the folder of {names[0]} and {names[1]}, plain or .gz")
    where = str(home) if len(missing) < len(names) else " and ".join(map(str, reversed(places)))
    cure = "put it there" if dataset == "any" else "put it there, or pass download=True"
    raise UnreadableFile(f"{missing[0]} (plain or .gz) is missing; looked in {where}: {cure}")


def _present(place: Path, name: str) -> Path | None:
    return next((path for path in (place / name, place / f"{name}.gz") if os.path.exists(path)), None)


def _fetched(name: str, place: Path, dataset: str) -> Path:
    from rdcsolve.data.download import fetch

    return fetch(dataset, name, place, _SHA256[dataset][name])


# ------------------------------------------------------------------------------------------- reading


def _checked_items(path: Path, kind: _Kind, part: str, dataset: str) -> np.ndarray:
    """Return the items of a file that is sound and, unless any will do, the file of the data set."""
    n_known = None if dataset == "any" else _N_ITEMS[part]
    items, digest = _items(path, kind, n_known)
    if dataset == "any":
        return items
    if kind is _LABELS and items.max() >= _N_CLASSES:
        place = int(np.argmax(items >= _N_CLASSES))
        raise UnreadableFile(
            f"label {place} in {path} is {items[place]}, not one of 0 to 9; remove the file and get it again"
        )
    if digest != _SHA256[dataset][kind.name(part)]:
        raise UnreadableFile(f"{path} is not {kind.name(part)} of {dataset}: {_whose(digest, dataset)}")
    return items


def _whose(digest: str, asked: str) -> str:
    """Return what a file of this SHA-256 is instead, and what to do."""
    for dataset, files in _SHA256.items():
        for name, known in files.items():
            if digest == known:
                other = f"pass dataset={dataset!r}, or put the file of {asked} there"
                return f"it is {name} of {dataset}; " + ("rename it" if dataset == asked else other)
    return f"its SHA-256 is {digest}; remove it and get it again, or pass dataset='any' if it is to be other data"


def _items(path: Path, kind: _Kind, n_known: int | None) -> tuple[np.ndarray, str]:
    """Return the items of an idx file, shape (n, *kind.shape), and the SHA-256 of the unpacked file."""
    with _unpacked(path) as stream:
        header = stream.read(4 * (2 + len(kind.shape)))
        n = _checked_count(header, path, kind, n_known)
        size = n * math.prod(kind.shape)
        content = bytearray()
        while block := stream.read(min(_BLOCK, size - len(content))):
            content += block
        is_longer = bool(stream.read(1))  # to read beyond the end also has gzip compare its checksum
    if is_longer or len(content) < size:
        length = f"more than {size}" if is_longer else f"only {len(content)}"
        raise UnreadableFile(
            f"{path} says that it holds {n} {kind.items}, which is {size} bytes, but {length} follow; "
            "remove it and get it again"
        )
    digest = hashlib.sha256(header)
    digest.update(content)
    return np.frombuffer(content, np.uint8).reshape(n, *kind.shape), digest.hexdigest()


def _checked_count(header: bytes, path: Path, kind: _Kind, n_known: int | None) -> int:
    """Return how many items the header claims."""
    whole = 4 * (2 + len(kind.shape))
    if len(header) < whole:
        state = f"ends within its header, after {len(header)} of {whole} bytes" if header else "is empty"
        raise UnreadableFile(f"{path} {state}; remove it and get it again")
    magic, n, *sides = (int.from_bytes(header[at : at + 4], "big") for at in range(0, whole, 4))
    if magic != kind.magic:
        raise UnreadableFile(
            f"{path} starts with 0x{magic:08x}, but an idx file of {kind.items} with 0x{kind.magic:08x}; "
            f"replace it by the file of {kind.items}"
        )
    if tuple(sides) != kind.shape:
        size = " x ".join(map(str, sides))
        raise UnreadableFile(
            f"{path} holds images of {size} pixels, not 28 x 28; resize them, or remove it and get it again"
        )
    if n == 0:
        raise UnreadableFile(f"{path} says that it holds no {kind.items}; remove it and get it again")
    if n_known is not None and n != n_known:
        raise UnreadableFile(
            f"{path} says that it holds {n} {kind.items} instead of {n_known}; remove it and get it again, or pass "
            "dataset='any' if it is to be other data"
        )
    return n


@contextmanager
def _unpacked(path: Path) -> Iterator[BinaryIO]:
    """Open a file as it is or through gzip, as its first bytes say; what cannot be read is an `UnreadableFile`."""
    if not path.is_file():  # a pipe would be waited for
        raise UnreadableFile(f"{path} is {'a folder' if path.is_dir() else 'not a file'}; put the file there")
    try:
        with path.open("rb") as file:
            is_packed = file.peek(2)[:2] == b"\x1f\x8b"
            with gzip.open(file) if is_packed else nullcontext(file) as stream:
                yield cast(BinaryIO, stream)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableFile(f"{path} is a damaged gzip file ({error}); remove it and get it again") from error
    except OSError as error:
        raise UnreadableFile(
            f"{path} cannot be read ({error.strerror or error}); check that it is a file you may open"
        ) from error
