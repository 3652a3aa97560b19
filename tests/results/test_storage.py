"""Results survive the disk bit by bit; full disks and damaged files leave nothing half-done."""

import builtins
import dataclasses
import errno
import json
import math
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from same import assert_same

import rdcsolve as rdc
from rdcsolve import Problem, Proof, Result, SaveFailed, Status, UnreadableFile, files, load, writing
from rdcsolve.certificates import Certificate, PriceProof
from rdcsolve.certificates.proof import PartProof
from rdcsolve.files import write
from rdcsolve.results import packing, storage
from rdcsolve.results.result import StepRecord

ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


def a_result(**changes):
    """A result built by hand, with NaN and infinities where they occur."""
    channel = np.array([[0.75, 0.25, 0.0], [0.0, 1 / 3, 2 / 3]])
    letters = np.array([0, 3, 4])
    certificate = Certificate(
        objective="rate",
        u=np.array([0.1, -0.2]),
        multipliers=np.array([2.0, 0.0]),
        letters=letters,
        channel=channel,
        lower=0.1,
        upper=0.30000000000000004,
        fingerprint="0123456789abcdef",
    )
    result = Result(
        status=Status.STEP_LIMIT,
        proof=Proof.CERTIFIED,
        objective="rate",
        objective_lower=0.1,
        objective_upper=0.30000000000000004,
        rate_lower=-math.inf,
        rate_upper=math.nan,
        losses={"distortion": 0.1, "tail": 5e-324},
        multipliers={"distortion": 2.0, "tail": -0.0},
        channel=channel,
        letters=letters,
        q=np.array([0.5, 0.3, 0.2]),
        d_tilted=np.array([math.nan, math.inf]),
        certificate=certificate,
        fingerprint="0123456789abcdef",
        method="by hand",
        steps=7,
        seconds=0.125,
        history=(
            StepRecord(1, 0.1, -math.inf, math.nan, (1.0, 0.0), 5),
            StepRecord(2, 0.2, 0.1, 0.3, (), 5),
        ),
        message="größer\n\x00",
    )
    return dataclasses.replace(result, **changes)


def temporary_folder():
    return tempfile.TemporaryDirectory()  # Hypothesis runs many examples inside one tmp_path


# ----------------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("proof", Proof)
def test_round_trip(tmp_path, status, proof):
    result = a_result(status=status, proof=proof)
    result.save(tmp_path / "result.npz")
    assert_same(result, load(tmp_path / "result.npz"))


def test_every_field_is_stored():
    names = {field.name for field in dataclasses.fields(Result)}
    others = {"status", "proof", "steps", "history", "certificate", "decisions", "information_losses"}
    others |= {"perceptions", "output_law"}
    assert names == {*packing.TEXTS, *packing.REALS, *packing.MAPPINGS, *packing.ARRAYS, *others}
    names = {field.name for field in dataclasses.fields(Certificate)}
    assert names == {
        *packing.CERTIFICATE_ARRAYS,
        "objective",
        "lower",
        "upper",
        "fingerprint",
        "u_rest",
        "proof",
        "laws",
    }
    names = [field.name for field in dataclasses.fields(StepRecord)]
    assert names == ["step", "seconds", "lower", "value", "multipliers", "n_letters"]


@st.composite
def results(draw):
    """Results of any numbers at all, of consistent shapes."""
    n, k = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    names = draw(st.lists(TEXT, max_size=3, unique=True))

    def array(*shape):
        return draw(hnp.arrays(np.float64, shape, elements=ANY_FLOAT))

    def letters(size):
        return draw(hnp.arrays(np.int64, size, elements=st.integers(0, 2**62)))

    def by_name():
        return {name: draw(ANY_FLOAT) for name in names}

    own = draw(st.integers(0, 3))
    certificate = Certificate(
        draw(TEXT), array(n), array(len(names)), letters(own), array(n, own), draw(ANY_FLOAT), draw(ANY_FLOAT), "f"
    )
    record = st.builds(
        StepRecord,
        st.integers(0),
        ANY_FLOAT,
        ANY_FLOAT,
        ANY_FLOAT,
        st.lists(ANY_FLOAT, max_size=3).map(tuple),
        st.integers(0),
    )
    return a_result(
        objective=draw(TEXT),
        objective_lower=draw(ANY_FLOAT),
        rate_upper=draw(ANY_FLOAT),
        losses=by_name(),
        multipliers=by_name(),
        minimum=draw(st.dictionaries(TEXT, ANY_FLOAT, max_size=2)),
        channel=array(n, k),
        letters=letters(k),
        q=array(k),
        d_tilted=array(n),
        certificate=draw(st.sampled_from([None, certificate])),
        method=draw(TEXT),
        message=draw(TEXT),
        history=tuple(draw(st.lists(record, max_size=3))),
    )


@given(results())
def test_round_trip_of_anything(result):
    with temporary_folder() as folder:
        path = Path(folder) / "x"
        packing.save(result, path)
        assert_same(result, storage.load(path))
        assert os.listdir(folder) == ["x"]


def test_what_a_solver_returns_makes_the_round_trip(tmp_path):
    from rdcsolve import solve

    problem = Problem.from_arrays([0.7, 0.3], 1 - np.eye(2), D=0.1)
    for number, variant in enumerate([problem, problem.at_multipliers(distortion=2.0), problem.with_limits(D=0.5)]):
        result = solve(variant)
        for one in (result, result.in_bits()):
            one.save(tmp_path / f"{number}")
            loaded = load(tmp_path / f"{number}")
            assert_same(one, loaded)
        assert loaded.certificate.verify(variant).valid


def test_the_certificates_channel_is_not_stored_twice(tmp_path):
    result = a_result()
    result.save(tmp_path / "once")
    with np.load(tmp_path / "once", allow_pickle=False) as archive:
        assert "certificate_channel" not in archive.files
    assert load(tmp_path / "once").certificate.channel is not None
    other = dataclasses.replace(result.certificate, channel=result.channel[:, :2], letters=result.letters[:2])
    changed = a_result(certificate=other)
    changed.save(tmp_path / "twice")
    assert_same(changed, load(tmp_path / "twice"))


def a_proof():
    return PriceProof(
        (
            PartProof(),
            PartProof(
                np.array([2, 0], dtype=np.int32),
                np.array([[0.25, 0.75], [1e-250, 1.0]]),
                np.array([0, -1, -1], dtype=np.int8),
                np.array([[1, 3], [2, 3]], dtype=np.int32),
            ),
        ),
        np.array([[0.0, 0.5], [0.5, 1.0]]),
    )


def test_a_certificates_rest_of_u_and_its_proof_are_stored(tmp_path):
    certificate = dataclasses.replace(a_result().certificate, u_rest=np.array([1e-20, -5e-324]), proof=a_proof())
    result = a_result(certificate=certificate)
    result.save(tmp_path / "whole")
    with np.load(tmp_path / "whole", allow_pickle=False) as archive:
        names = {name for name in archive.files if name.startswith("certificate_proof_")}
    assert names == {f"certificate_proof_{name}" for name in a_proof().packed()}
    assert_same(result, load(tmp_path / "whole"))


def test_version_1_loads_without_either(tmp_path):
    result = a_result()
    header, arrays = packing.packed(result)
    del arrays["certificate_u_rest"]
    write(tmp_path / "old", {"format": "rdcsolve result", "version": 1} | header, arrays)
    assert_same(result, load(tmp_path / "old"))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("1_ends", np.array([[1, 3], [3, 3]], dtype=np.int32), "names a node that is not there"),
        ("1_ends", np.array([1, 3], dtype=np.int32), "ends has int32 and shape"),
        ("1_splits", np.array([0.0, -1.0, -1.0]), "splits has float64"),
        ("1_splits", np.array([0, -1], dtype=np.int8), "splits is not a tree"),
        ("1_splits", np.array([0, -2, -1], dtype=np.int8), "below -1"),
        ("1_places", np.array([[0.0, 1.0], [0.5, 0.5]]), "a place is not positive"),
        ("1_places", np.array([[math.nan, 1.0], [0.5, 0.5]]), "a place is not positive"),
        ("1_places", np.array([[0.5, 0.5]]), "places has not one row for each"),
        ("line", np.zeros((2, 3)), "line has shape"),
        ("01_ends", np.zeros((0, 2), dtype=np.int32), "not the name of an array of a proof"),
        ("1_leaves", np.zeros(3), "not the name of an array of a proof"),
    ],
)
def test_a_malformed_proof_is_unreadable(tmp_path, name, values, message):
    header, arrays = packing.packed(a_result(certificate=dataclasses.replace(a_result().certificate, proof=a_proof())))
    arrays[f"certificate_proof_{name}"] = values
    write(tmp_path / "file", {"format": "rdcsolve result", "version": 2} | header, arrays)
    with pytest.raises(UnreadableFile, match=message):
        load(tmp_path / "file")


def test_the_path_is_used_as_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    a_result().save("no extension.v1")
    assert os.listdir() == ["no extension.v1"]
    assert_same(a_result(), load("no extension.v1"))


def test_an_existing_file_is_replaced(tmp_path):
    path = tmp_path / "result"
    path.write_text("something else")
    a_result().save(path)
    a_result(steps=8).save(path)
    assert load(path).steps == 8
    assert os.listdir(tmp_path) == ["result"]


# --------------------------------------------------------------------------------------- failed writes


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def half_written(stream, **arrays):
    stream.write(b"PK half of an archive")
    full()


def cannot_create(path, mode="r", *args, **kwargs):
    return full() if "x" in mode else builtins.open(path, mode, *args, **kwargs)


FAULTS = {
    "open": lambda patch: patch.setattr(writing, "open", cannot_create, raising=False),
    "write": lambda patch: patch.setattr(files.np, "savez", half_written),
    "fsync": lambda patch: patch.setattr(files.os, "fsync", full),
    "replace": lambda patch: patch.setattr(files.os, "replace", full),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, fault):
    path = tmp_path / "result"
    a_result(steps=1).save(path)
    with monkeypatch.context() as patch:
        FAULTS[fault](patch)
        with pytest.raises(SaveFailed, match=r"result was not written \(No space left on device\)"):
            a_result(steps=2).save(path)
    assert os.listdir(tmp_path) == ["result"]
    assert load(path).steps == 1


def test_an_interrupt_while_writing_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        a_result().save(tmp_path / "result")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["missing folder/result", "folder", ".", "", "\0", "x" * 300])
def test_a_path_that_cannot_be_written(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(SaveFailed, match="was not written"):
        a_result().save(name)
    assert os.listdir(tmp_path) == ["folder"]


# --------------------------------------------------------------------------------------- damaged files


@pytest.fixture(scope="module")
def saved():
    with temporary_folder() as folder:
        path = Path(folder) / "result"
        a_result().save(path)
        return path.read_bytes()


@given(st.data())
def test_a_truncated_file_is_unreadable(saved, data):
    with temporary_folder() as folder:
        path = Path(folder) / "result"
        path.write_bytes(saved[: data.draw(st.integers(0, len(saved) - 1))])
        with pytest.raises(UnreadableFile, match="result is damaged, pickled, or not a saved archive"):
            load(path)


@given(st.data())
def test_a_flipped_byte_is_noticed_or_harmless(saved, data):
    damaged = bytearray(saved)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(saved) - 1))] ^= data.draw(st.integers(1, 255))
    with temporary_folder() as folder:
        path = Path(folder) / "result"
        path.write_bytes(damaged)
        try:
            loaded = load(path)
        except UnreadableFile:
            return
        assert_same(a_result(), loaded)  # what was hit says nothing, such as a date


@given(st.binary(max_size=200))
def test_random_bytes_are_unreadable(content):
    with temporary_folder() as folder:
        path = Path(folder) / "result"
        path.write_bytes(content)
        with pytest.raises(UnreadableFile):
            load(path)


def test_a_missing_file_or_a_folder_is_unreadable(tmp_path):
    with pytest.raises(UnreadableFile, match=r"nothing does not exist; check the path \(the current folder is"):
        load(tmp_path / "nothing")
    with pytest.raises(UnreadableFile, match="it is a folder; give the name of an ordinary file"):
        load(tmp_path)


def test_pickles_are_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was opened",))

    trap = np.array([Trap()], dtype=object)
    np.save(tmp_path / "one.npy", trap, allow_pickle=True)
    np.savez(tmp_path / "many.npz", header=trap)
    for name in ("one.npy", "many.npz"):
        with pytest.raises(UnreadableFile, match="pickled|is a single array"):
            load(tmp_path / name)


def test_other_numpy_files_are_not_results(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    np.savez(tmp_path / "source.npz", p_x=np.ones(1))
    np.savez(tmp_path / "number.npz", header=np.zeros(3))
    np.savez(tmp_path / "text.npz", header=np.array("not JSON"))
    np.savez(tmp_path / "deep.npz", header=np.array("[" * 100_000))
    np.savez(tmp_path / "list.npz", header=np.array("[1]"))
    messages = {
        "one.npy": "it is a single array; save the arrays by name",
        "source.npz": "is an npz archive but not a saved result; write it with Result.save",
        "number.npz": "is an npz archive but not a saved result",
        "text.npz": "its header is not JSON",
        "deep.npz": "its header is not JSON",
        "list.npz": "it is not a saved result",
    }
    for name, message in messages.items():
        with pytest.raises(UnreadableFile, match=message):
            load(tmp_path / name)


HEADERS = [
    ({"format": "something"}, "it is not a saved result"),
    ({"version": 5}, "version 5 is not known to this rdcsolve; upgrade it"),
    ({"version": None}, "version None is not known"),
    ({"status": "SOLVED"}, "status 'SOLVED' is unknown"),
    ({"status": "__class__"}, "status '__class__' is unknown"),
    ({"proof": "MAYBE"}, "proof 'MAYBE' is unknown"),
    ({"unit": "hartley"}, "unit 'hartley' is unknown"),
    ({"objective": 3}, "3 stands where a text should"),
    ({"rate_lower": "0.5"}, "'0.5' stands where a real number should"),
    ({"rate_lower": True}, "True stands where a real number should"),
    ({"steps": 1.5}, "1.5 stands where a whole number should"),
    ({"losses": [1.0]}, "stands where losses by name should"),
    ({"losses": {"distortion": 0.1}}, "losses and multipliers differ in names"),
    ({"minimum": {"distortion": None}}, "None stands where a real number should"),
    ({"history": None}, "None stands where a list should"),
    ({"history": [[1, 0.1]]}, "a record of its history is malformed"),
    ({"history": [[1, 0.1, 0.2, 0.3, 5.0, 2]]}, "5.0 stands where a list should"),
    ({"certificate": 7}, "its certificate is malformed"),
    ({"certificate": {"objective": "rate"}}, "its header has no lower"),
    ({"losses": {"a": 0.1}, "multipliers": {"a": 1.0}}, "the certificate is not for 1 losses"),
]
ARRAYS = [
    ({"q": None}, "it lacks the array q"),
    ({"certificate_u": None}, "it lacks the array certificate_u"),
    ({"q": np.zeros(2)}, r"q has shape \(2,\) for 3 letters"),
    ({"q": np.zeros((3, 1))}, r"q has shape \(3, 1\), not 1 dimensions"),
    ({"q": np.zeros(3, dtype=np.float32)}, "q holds float32, not float64"),
    ({"letters": np.zeros(3)}, "letters holds float64, not int64"),
    ({"letters": np.array([0, 1, -1])}, "channel has a negative letter"),
    ({"channel": np.zeros((2, 2))}, "channel has 2 columns for 3 letters"),
    ({"d_tilted": np.zeros(5)}, "d_tilted does not have one entry for 2 rows"),
    ({"certificate_u": np.zeros(3)}, "the certificate's u does not have one entry for 2 rows"),
    ({"certificate_channel": np.zeros((2, 1))}, "the certificate's channel has 1 columns for 3 letters"),
]


def rewrite(path, *, header=None, arrays=None, without=()):
    """Save a result, then change its header and arrays behind the library's back."""
    a_result().save(path)
    with np.load(path, allow_pickle=False) as archive:
        held = dict(archive)
    text = json.loads(str(held.pop("header"))) | (header or {})
    text = {name: value for name, value in text.items() if name not in without}
    held = {name: array for name, array in (held | (arrays or {})).items() if array is not None}
    np.savez(path, header=np.array(json.dumps(text)), **held)


@pytest.mark.parametrize(("header", "message"), HEADERS)
def test_a_header_that_says_something_else_is_unreadable(tmp_path, header, message):
    rewrite(tmp_path / "result.npz", header=header)
    with pytest.raises(UnreadableFile, match=message):
        load(tmp_path / "result.npz")


@pytest.mark.parametrize("name", ["status", "objective", "rate_lower", "steps", "losses", "history", "certificate"])
def test_a_header_without_a_field_is_unreadable(tmp_path, name):
    rewrite(tmp_path / "result.npz", without=[name])
    with pytest.raises(UnreadableFile, match=f"its header has no {name}"):
        load(tmp_path / "result.npz")


@pytest.mark.parametrize(("arrays", "message"), ARRAYS)
def test_arrays_that_do_not_fit_are_unreadable(tmp_path, arrays, message):
    rewrite(tmp_path / "result.npz", arrays=arrays)
    with pytest.raises(UnreadableFile, match=message):
        load(tmp_path / "result.npz")


@pytest.mark.parametrize("measure", ["w2", "kl", "exact"])
def test_results_with_limits_on_the_law(tmp_path, measure):
    source = rdc.Source([0.0, 1.0, 2.0], [0.5, 0.3, 0.2])
    limits = [rdc.DistortionLimit(0.2), rdc.PerceptionLimit(0.0 if measure == "exact" else 0.01, measure)]
    problem = rdc.Problem(source, limits=limits)
    result = rdc.solve(problem)
    path = tmp_path / "result.npz"
    result.save(path)
    again = rdc.load(path)
    assert again.perceptions == result.perceptions
    assert again.multipliers == result.multipliers
    assert np.array_equal(again.output_law, result.output_law)
    law, own = again.certificate.laws[0], result.certificate.laws[0]
    assert (law.multiplier, law.level) == (own.multiplier, own.level)
    for name in ("prices", "rows", "columns", "masses"):
        assert np.array_equal(getattr(law, name), getattr(own, name))
    assert again.verify(problem).valid
