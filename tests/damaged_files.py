"""A programme of its own: read thousands of damaged files with little memory, and tell of everything out of order.

python damaged_files.py FOLDER SEED COUNT
"""

import io
import json
import os
import random
import resource
import sys
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np

import rdcsolve as rdc
from rdcsolve.cli.files import write_problem
from rdcsolve.codes.code import load_code
from rdcsolve.codes.universal_code import load_universal_code
from rdcsolve.errors import InternalError, RdcError
from rdcsolve.files import read_arrays
from rdcsolve.problems.storage import problem_of

ROOM = 1 << 20  # bytes that reading may take beyond twice what a file declares
FORBIDDEN = {
    "pickle.find_class",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "subprocess.Popen",
    "exec",
    "socket.connect",
}
COIN = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], np.eye(2), D=0.1, C=0.5)
WORDS = ["", "rate", "0", "-1", "1e999", "NaN", "[" * 50000, "9" * 5000, "null", "true", '{"a": 1}', "[]"]


class Trap:
    """What a pickle would run."""

    def __reduce__(self):
        return os.system, ("touch trapped",)


def files(folder):
    """Write one file of each kind, and return how it is read."""
    rdc.solve(COIN).save(folder / "result.npz")
    rdc.universal_rate(COIN, [{"D": 0.1}, {"D": 0.2}]).save(folder / "universal.npz")
    write_problem(COIN, folder / "problem.npz")
    np.savez(folder / "source.npz", p_x=[0.7, 0.3], points=[0.0, 1.0], labels_0=[[0.9, 0.1], [0.2, 0.8]])
    samples = np.random.default_rng(0).normal(size=(60, 2))
    rdc.codes.fit_quantiser(samples, 3, n_starts=1).save(folder / "code.npz")
    rdc.codes.fit_universal_quantiser(samples, 3, targets={"one": 0.0}).save(folder / "universal_code.npz")
    rdc.sweep(COIN, D=[0.1, 0.2], save=folder / "sweep.nc")
    return {
        "result.npz": rdc.load,
        "universal.npz": rdc.load,
        "problem.npz": lambda path: problem_of(read_arrays(path), "it"),
        "source.npz": rdc.sources.from_npz,
        "code.npz": load_code,
        "universal_code.npz": load_universal_code,
        "sweep.nc": lambda path: rdc.sweep(COIN, D=[0.1, 0.2], save=path),
    }


def bytes_changed(draw, whole):
    """Return the bytes of a file with some flipped, left out, doubled or exchanged."""
    content = bytearray(whole)
    for _ in range(draw.randint(1, 3)):
        start = draw.randrange(len(content))
        stop = min(len(content), start + draw.choice([1, 1, 4, 100, len(content)]))
        how = draw.randrange(5)
        if how == 0:
            content[start] ^= draw.randint(1, 255)
        elif how == 1:
            del content[start:stop]
        elif how == 2:
            content[start:start] = content[start:stop]
        elif how == 3:
            content[start:stop] = bytes(stop - start)
        else:
            content[start:stop] = draw.randbytes(stop - start)
        if not content:
            break
    return bytes(content)


def archive_changed(draw, whole):
    """Return a sound archive whose arrays are others: missing, of other shapes or types, NaN, pickles, bombs."""
    with np.load(io.BytesIO(whole)) as held:
        arrays = {name: held[name] for name in held.files}
    name = draw.choice(sorted(arrays))
    values = arrays[name]
    how = draw.randrange(9)
    if how == 0:
        del arrays[name]
    elif how == 1:
        arrays[name] = values.ravel()[: draw.randint(0, max(values.size, 1))]
    elif how == 2:
        arrays[name] = values[None]
    elif how == 3:
        kind = draw.choice(["U4", "S3", "c16", "i1", "?", "f2"])
        arrays[name] = values.astype(kind, casting="unsafe") if values.dtype.kind in "fiu" else np.zeros(3)
    elif how == 4 and values.dtype.kind == "f" and values.size:
        arrays[name] = values.copy()
        arrays[name].flat[draw.randrange(values.size)] = draw.choice([np.nan, np.inf, -1.0, 1e308, 5e-324, 0.0])
    elif how == 5 and name == "header":
        arrays[name] = np.array(header_changed(draw, str(values)))
    elif how == 6:
        arrays[name] = np.array([Trap()], dtype=object)
    elif how == 7:
        return bomb(arrays, name, draw)
    else:
        arrays[draw.choice(["extra", "points", "bound_D", "\0", "labels_9", "../x"])] = np.zeros(draw.randint(0, 5))
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def header_changed(draw, described):
    """Return a header with something else in one of its places."""
    header = json.loads(described)
    if isinstance(header, dict) and header:
        key = draw.choice(sorted(header))
        header[key] = "PLACE"
    return json.dumps(header).replace('"PLACE"', draw.choice(WORDS))


def bomb(arrays, name, draw):
    """Return an archive one of whose arrays is far larger inside, or says so."""
    stream = io.BytesIO()
    kind = draw.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for other, values in arrays.items():
            inner = io.BytesIO()
            np.lib.format.write_array(inner, values)
            content = inner.getvalue()
            if other == name:
                shape = draw.choice([(1 << 40,), (1 << 28,), (0,) * 40, (-1,), (1 << 62, 1 << 62)])
                head = io.BytesIO()
                np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": shape})
                size = draw.choice([0, 1000, 20_000_000]) if kind == zipfile.ZIP_DEFLATED else 1000
                content = head.getvalue() + bytes(size)
            archive.writestr(f"{other}.npy", content)
    return stream.getvalue()


def declared(content):
    """Return how large the arrays of an archive say they are, or the file itself, whichever is more."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return max(len(content), sum(info.file_size for info in archive.infolist()))
    except Exception:  # noqa: BLE001 - damage makes zipfile raise nearly anything
        return len(content)


class Watch:
    """What reading a file executes, and the memory that it takes."""

    def __init__(self):
        self.executed, self.is_on = [], False
        sys.addaudithook(self.heard)
        tracemalloc.start()

    def heard(self, event, what):
        """Note a forbidden event; modules that are imported late are files, and no fault."""
        if self.is_on and event in FORBIDDEN and not (event == "exec" and Path(what[0].co_filename).is_file()):
            self.executed.append(event)

    def out_of_order(self, load, path):
        """Return whether a file was read, and what was out of order."""
        content = path.read_bytes()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        self.executed.clear()
        self.is_on, found, is_read = True, [], False
        try:
            load(path)
            is_read = True
        except InternalError as error:
            found.append(str(error))
        except RdcError:
            pass
        except BaseException as error:  # noqa: BLE001 - this is what is looked for
            found.append(f"{type(error).__name__}: {str(error)[:200]}")
        self.is_on = False
        taken = tracemalloc.get_traced_memory()[1] - before
        if taken > 2 * declared(content) + ROOM:
            found.append(f"{taken} bytes for {declared(content)}")
        return is_read, [*found, *(f"executed {event}" for event in self.executed)]


def limit_memory():
    """Allow a GiB more than is in use."""
    if sys.platform == "linux":
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 30), resource.RLIM_INFINITY))


def main(folder, seed, count):
    """Damage, read, and write a line for whatever is out of order; then how many were read and refused."""
    warnings.simplefilter("ignore")
    os.chdir(folder)
    loads = files(folder)
    whole = {name: (folder / name).read_bytes() for name in loads}
    for name, load in loads.items():
        load(folder / name)
    limit_memory()
    watch, draw, tally = Watch(), random.Random(seed), [0, 0]
    for k in range(count):
        name = draw.choice(sorted(loads))
        change = bytes_changed if name.endswith(".nc") or draw.random() < 0.5 else archive_changed
        path = folder / f"damaged_{name}"
        path.write_bytes(change(draw, whole[name]))
        is_read, found = watch.out_of_order(loads[name], path)
        tally[is_read] += 1
        for words in found:
            sys.stdout.write(f"{k}: {name}: {words}\n")
        path.unlink(missing_ok=True)
    if Path("trapped").exists():
        sys.stdout.write("a pickle was executed\n")
    sys.stdout.write(f"refused {tally[0]}, read {tally[1]}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
