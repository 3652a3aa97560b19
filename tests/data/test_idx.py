"""Images in idx files: layouts, every kind of damage, data sets told apart by SHA-256, downloads from mirrors."""

import functools
import gc
import gzip
import hashlib
import http.server
import io
import os
import re
import sys
import threading
import tracemalloc
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcsolve import data as sources
from rdcsolve.data import download, idx
from rdcsolve.data.idx import image_arrays
from rdcsolve.errors import InvalidInput, SaveFailed, UnreadableFile

IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
N = 6


def image_file(images):
    return np.array([0x803, *images.shape], ">u4").tobytes() + images.tobytes()


def label_file(classes):
    return np.array([0x801, len(classes)], ">u4").tobytes() + bytes(classes)


def drawn(seed, n=N):
    """Images with a blank border, as real ones have, and their classes."""
    rng = np.random.default_rng(seed)
    images = np.zeros((n, 28, 28), np.uint8)
    images[:, 8:20, 8:20] = rng.integers(0, 256, (n, 12, 12))
    return images, [int(c) for c in rng.integers(0, 10, n)]


PIXELS, CLASSES = drawn(0)
CONTENT = {IMAGES: image_file(PIXELS), LABELS: label_file(CLASSES)}
OTHER = {IMAGES: image_file(drawn(1)[0]), LABELS: label_file(drawn(1)[1])}


def lay(folder, content=CONTENT, packed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in content.items():
        (folder / f"{name}{'.gz' if packed else ''}").write_bytes(gzip.compress(file) if packed else file)
    return folder


def read(folder, **keywords):
    return image_arrays("test", folder, **{"dataset": "any", **keywords})


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture(autouse=True)
def _no_folder_by_default(monkeypatch):
    monkeypatch.delenv("RDCSOLVE_DATA", raising=False)


@pytest.fixture
def small(monkeypatch):
    """The two known data sets, as if they had but six test images."""
    known = {"mnist": CONTENT, "fashion-mnist": OTHER}
    monkeypatch.setattr(idx, "_N_ITEMS", {"train": 2 * N, "test": N})
    monkeypatch.setattr(
        idx,
        "_SHA256",
        {
            dataset: {name: hashlib.sha256(file).hexdigest() for name, file in files.items()}
            for dataset, files in known.items()
        },
    )


class TestReading:
    @pytest.mark.parametrize("packed", [False, True])
    def test_arrays_are_what_the_files_say(self, tmp_path, packed):
        images, classes = read(lay(tmp_path, packed=packed))
        np.testing.assert_array_equal(images, PIXELS)
        assert classes.tolist() == CLASSES
        assert (images.dtype, classes.dtype) == (np.uint8, np.int64)
        assert images.flags.writeable  # frameworks that share memory insist on it

    def test_content_decides_whether_a_file_is_packed(self, tmp_path):
        (tmp_path / IMAGES).write_bytes(gzip.compress(CONTENT[IMAGES]))
        (tmp_path / f"{LABELS}.gz").write_bytes(CONTENT[LABELS])
        np.testing.assert_array_equal(read(tmp_path)[0], PIXELS)

    def test_the_plain_file_comes_before_the_packed_one(self, tmp_path):
        lay(lay(tmp_path, OTHER, packed=True))
        np.testing.assert_array_equal(read(tmp_path)[0], PIXELS)

    def test_parts_are_told_apart(self, tmp_path):
        images, classes = drawn(2, n=9)
        train = {"train-images-idx3-ubyte": image_file(images), "train-labels-idx1-ubyte": label_file(classes)}
        lay(lay(tmp_path), train)
        assert [len(image_arrays(part, tmp_path, dataset="any")[1]) for part in ("train", "test")] == [9, N]

    def test_the_variable_names_the_folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("RDCSOLVE_DATA", str(lay(tmp_path)))
        np.testing.assert_array_equal(read(None)[0], PIXELS)
        with pytest.raises(UnreadableFile, match="elsewhere does not exist"):
            read(tmp_path / "elsewhere")

    def test_files_are_closed_also_when_damaged(self, tmp_path):
        read(lay(tmp_path, packed=True))
        (tmp_path / f"{LABELS}.gz").write_bytes(gzip.compress(CONTENT[LABELS])[:-9])
        with pytest.raises(UnreadableFile):
            read(tmp_path)
        gc.collect()  # a file left open would warn here, and warnings are errors


class TestPlaces:
    @pytest.mark.parametrize("place", ["", "mnist", "MNIST/raw"])
    @pytest.mark.parametrize("packed", [False, True])
    def test_layouts(self, small, tmp_path, place, packed):
        lay(tmp_path / place, packed=packed)
        np.testing.assert_array_equal(read(tmp_path, dataset="mnist")[0], PIXELS)

    @pytest.mark.parametrize("place", ["fashion-mnist", "FashionMNIST/raw"])
    def test_one_folder_may_hold_both(self, small, tmp_path, place):
        lay(tmp_path)
        lay(tmp_path / place, OTHER)
        assert read(tmp_path, dataset="mnist")[1].tolist() == CLASSES
        assert read(tmp_path, dataset="fashion-mnist")[1].tolist() == drawn(1)[1]

    def test_the_place_with_both_files_comes_before_one_with_half(self, small, tmp_path):
        lay(tmp_path / "mnist", {IMAGES: b"left over"})
        assert read(lay(tmp_path), dataset="mnist")[1].tolist() == CLASSES

    def test_any_data_lie_in_the_folder_itself(self, tmp_path):
        lay(tmp_path / "mnist")
        with pytest.raises(UnreadableFile, match=rf"{IMAGES} .* is missing; looked in \S*: put it there$"):
            read(tmp_path)

    def test_what_is_missing_is_named(self, small, tmp_path):
        with pytest.raises(InvalidInput, match=f"RDCSOLVE_DATA is not set; .* {IMAGES}.gz .*download=True"):
            read(None, dataset="mnist")
        with pytest.raises(InvalidInput, match=f"folder of {IMAGES}.gz and {LABELS}.gz$"):
            read("")
        with pytest.raises(UnreadableFile, match=f"absent does not exist; name the folder of {IMAGES}"):
            read(tmp_path / "absent")
        with pytest.raises(UnreadableFile, match=f"{IMAGES} .* missing; .*MNIST/raw .*or pass download=True"):
            read(tmp_path, dataset="mnist")
        lay(tmp_path / "mnist", {IMAGES: CONTENT[IMAGES]})
        with pytest.raises(UnreadableFile, match=f"{LABELS} .* is missing; looked in .*mnist: put it there"):
            read(tmp_path, dataset="mnist")
        with pytest.raises(UnreadableFile, match="is not a folder; name the folder"):
            read(tmp_path / "mnist" / IMAGES)

    def test_unknown_names_are_refused(self, tmp_path):
        with pytest.raises(InvalidInput, match="unknown part 'all'; choose one of 'train', 'test'"):
            image_arrays("all", tmp_path)
        with pytest.raises(InvalidInput, match="unknown dataset 'kmnist'; choose one of .* 'any'"):
            read(tmp_path, dataset="kmnist")


class TestDamage:
    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            (IMAGES, b"", "is empty; remove it"),
            (LABELS, b"", "is empty; remove it"),
            (IMAGES, CONTENT[IMAGES][:15], "ends within its header, after 15 of 16 bytes; remove it"),
            (IMAGES, CONTENT[LABELS] * 9, "starts with 0x00000801, but an idx file of images with 0x00000803"),
            (LABELS, CONTENT[IMAGES], "starts with 0x00000803, but an idx file of labels with 0x00000801"),
            (LABELS, b"\x80\x04\x95pickled", "starts with 0x80049570, .* replace it by the file of labels"),
            (IMAGES, CONTENT[IMAGES][:-1], "6 images, which is 4704 bytes, but only 4703 follow; remove it"),
            (IMAGES, CONTENT[IMAGES] + b"\n", "6 images, .* but more than 4704 follow; remove it"),
            (LABELS, CONTENT[LABELS] + b"\n", "6 labels, which is 6 bytes, but more than 6 follow; remove it"),
            (IMAGES, image_file(PIXELS[:, :27]), "holds images of 27 x 28 pixels, not 28 x 28; resize them"),
            (IMAGES, image_file(PIXELS[:0]), "says that it holds no images; remove it"),
            (LABELS, label_file(CLASSES[:4]), "holds 6 images but .* 4 labels; take both files from the same"),
        ],
    )
    @pytest.mark.parametrize("packed", [False, True])
    def test_defects_are_named(self, tmp_path, name, content, message, packed):
        lay(tmp_path, {**CONTENT, name: content}, packed)
        with pytest.raises(UnreadableFile, match=message) as caught:
            read(tmp_path)
        assert str(tmp_path / name) in str(caught.value)

    def test_a_folder_in_place_of_a_file(self, tmp_path):
        lay(tmp_path, {LABELS: CONTENT[LABELS]})
        (tmp_path / IMAGES).mkdir()
        with pytest.raises(UnreadableFile, match=f"{IMAGES} is a folder; put the file there"):
            read(tmp_path)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders here")
    def test_a_pipe_in_place_of_a_file_is_not_waited_for(self, tmp_path):
        lay(tmp_path, {LABELS: CONTENT[LABELS]})
        os.mkfifo(tmp_path / IMAGES)
        with pytest.raises(UnreadableFile, match=f"{IMAGES} is not a file; put the file there"):
            read(tmp_path)

    def test_a_damaged_checksum_is_noticed(self, tmp_path):
        lay(tmp_path, packed=True)
        packed = bytearray(gzip.compress(CONTENT[IMAGES]))
        packed[-6] ^= 1
        (tmp_path / f"{IMAGES}.gz").write_bytes(packed)
        with pytest.raises(UnreadableFile, match="is a damaged gzip file .*; remove it and get it again"):
            read(tmp_path)

    @pytest.mark.parametrize("packed", [False, True])
    def test_a_header_that_claims_much_allocates_little(self, tmp_path, packed):
        claim = np.array([0x803, 2**32 - 1, 28, 28], ">u4").tobytes() + bytes(784)
        lay(tmp_path, {**CONTENT, IMAGES: claim}, packed)
        tracemalloc.start()
        try:
            with pytest.raises(UnreadableFile, match="4294967295 images, .* but only 784 follow"):
                read(tmp_path)
            assert tracemalloc.get_traced_memory()[1] < 2**23
        finally:
            tracemalloc.stop()

    @given(
        name=st.sampled_from([IMAGES, LABELS]),
        packed=st.booleans(),
        cut=st.booleans(),
        place=st.floats(0, 1, exclude_max=True),
        near_the_start=st.booleans(),
        bit=st.integers(0, 7),
    )
    def test_a_damaged_file_is_refused_or_read_as_it_is(
        self, tmp_path_factory, name, packed, cut, place, near_the_start, bit
    ):
        folder = tmp_path_factory.getbasetemp() / f"damaged {name} {packed}"
        lay(folder, packed=packed)
        path = folder / f"{name}{'.gz' if packed else ''}"
        damaged = bytearray(path.read_bytes())
        at = int(place * (24 if near_the_start and len(damaged) > 24 else len(damaged)))
        if cut:
            del damaged[at:]
        else:
            damaged[at] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            images, classes = read(folder)
        except UnreadableFile as error:
            if name not in str(error):
                raise
            return
        assert not cut
        found = {IMAGES: image_file(images), LABELS: label_file(classes.tolist())}
        assert found == ({**CONTENT} if packed else {**CONTENT, name: bytes(damaged)})

    @given(st.binary(max_size=64), st.booleans())
    def test_arbitrary_bytes_are_refused(self, tmp_path_factory, content, packed):
        folder = lay(tmp_path_factory.getbasetemp() / f"arbitrary {packed}", {**CONTENT, IMAGES: content}, packed)
        with pytest.raises(UnreadableFile, match=IMAGES):
            read(folder)


class TestDigests:
    def test_the_other_data_set_is_named(self, small, tmp_path):
        lay(tmp_path, OTHER)
        with pytest.raises(
            UnreadableFile, match=f"is not {IMAGES} of mnist: it is {IMAGES} of fashion-mnist; pass dataset='fashion-"
        ):
            read(tmp_path, dataset="mnist")
        lay(tmp_path / "mnist", {IMAGES: CONTENT[IMAGES], LABELS: OTHER[LABELS]})
        with pytest.raises(UnreadableFile, match=f"is not {LABELS} of mnist: it is {LABELS} of fashion-mnist"):
            read(tmp_path, dataset="mnist")

    def test_another_file_of_the_data_set_is_named(self, small, tmp_path, monkeypatch):
        monkeypatch.setattr(idx, "_N_ITEMS", {"train": N, "test": N})
        train = {name.replace("t10k", "train"): file for name, file in CONTENT.items()}
        monkeypatch.setitem(idx._SHA256["mnist"], "train-images-idx3-ubyte", "0" * 64)
        with pytest.raises(UnreadableFile, match=f"it is {IMAGES} of mnist; rename it"):
            image_arrays("train", lay(tmp_path, train), dataset="mnist")

    def test_changed_files_are_refused(self, small, tmp_path):
        changed = bytearray(CONTENT[IMAGES])
        changed[5000 - 784] ^= 1
        lay(tmp_path, {**CONTENT, IMAGES: changed}, packed=True)
        digest = hashlib.sha256(changed).hexdigest()
        with pytest.raises(UnreadableFile, match=f"its SHA-256 is {digest}; remove it .*, or pass dataset='any'"):
            read(tmp_path, dataset="mnist")
        assert read(tmp_path)[1].tolist() == CLASSES

    def test_counts_and_classes_are_those_of_the_data_set(self, small, tmp_path):
        lay(tmp_path, {**CONTENT, IMAGES: image_file(PIXELS[:5])})
        with pytest.raises(UnreadableFile, match="holds 5 images instead of 6; .* or pass dataset='any'"):
            read(tmp_path, dataset="mnist")
        lay(tmp_path, {**CONTENT, LABELS: label_file([0, 1, 10, 2, 3, 4])})
        with pytest.raises(UnreadableFile, match=f"label 2 in .*{LABELS} is 10, not one of 0 to 9; remove the file"):
            read(tmp_path, dataset="mnist")
        assert read(tmp_path)[1].max() == 10


class TestSource:
    def test_points_masses_and_labels(self, tmp_path):
        source = sources.mnist(folder=lay(tmp_path), dataset="any")
        np.testing.assert_array_equal(source.points, PIXELS.reshape(N, 784) / 255)
        np.testing.assert_allclose(source.p_x, 1 / N, rtol=1e-14)
        np.testing.assert_array_equal(source.labels[0], np.eye(10)[CLASSES])
        assert source.name == "images test"

    def test_a_draw_has_no_repetition_and_follows_the_seed(self, tmp_path):
        images, _ = drawn(3, n=200)
        folder = lay(tmp_path, {IMAGES: image_file(images), LABELS: label_file([0] * 200)})
        draw = functools.partial(sources.mnist, folder=folder, dataset="any")
        some = draw(n=150)
        assert len(np.unique(some.points, axis=0)) == some.n_x == 150
        np.testing.assert_array_equal(some.points, draw(n=150, rng=0).points)
        assert not np.array_equal(some.points, draw(n=150, rng=1).points)
        np.testing.assert_array_equal(draw(n=200).points, draw().points)
        rng = np.random.default_rng(4)
        assert not np.array_equal(draw(n=20, rng=rng).points, draw(n=20, rng=rng).points)

    def test_unusable_sizes(self, tmp_path):
        with pytest.raises(InvalidInput, match="n is 7 but there are 6 images; ask for at most 6"):
            sources.mnist(folder=lay(tmp_path), dataset="any", n=7)
        with pytest.raises(InvalidInput, match="n is 0; it must be an integer >= 1"):
            sources.mnist(folder=tmp_path / "not looked at", n=0)

    def test_more_than_ten_classes(self, tmp_path):
        lay(tmp_path, {**CONTENT, LABELS: label_file([0, 46, 1, 2, 3, 4])})
        assert sources.mnist(folder=tmp_path, dataset="any", n=1).labels[0].shape == (1, 47)

    def test_data_sets_have_their_names(self, small, tmp_path):
        lay(tmp_path / "fashion-mnist", OTHER, packed=True)
        assert repr(sources.mnist("test", tmp_path, dataset="fashion-mnist")) == (
            "Source('fashion-mnist test', n_x=6, dim=784, labels=(10,))"
        )


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(tmp_path_factory, monkeypatch):
    """A folder, and its address on a server of this machine; proxies are kept out."""
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path_factory.mktemp("mirror")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def serve(monkeypatch, *addresses):
    monkeypatch.setattr(download, "MIRRORS", {"mnist": addresses, "fashion-mnist": addresses})


DOWN = "http://127.0.0.1:1/"  # nothing listens on a port that only the superuser may open
FETCHED = ["mnist", f"mnist/{IMAGES}.gz", f"mnist/{LABELS}.gz"]


class TestDownload:
    def test_addresses_of_the_mirrors(self):
        assert set(download.MIRRORS) == set(idx._SHA256)
        assert all(re.fullmatch(r"https?://\S+/", one) for places in download.MIRRORS.values() for one in places)

    def test_missing_files_are_fetched_once(self, small, mirror, tmp_path, monkeypatch, capsys):
        content, address = mirror
        lay(content, packed=True)
        serve(monkeypatch, f"{address}/")
        images, classes = read(tmp_path / "new", dataset="mnist", download=True)
        np.testing.assert_array_equal(images, PIXELS)
        assert classes.tolist() == CLASSES
        assert files_in(tmp_path / "new") == FETCHED
        assert capsys.readouterr() == ("", "")  # progress is for terminals
        serve(monkeypatch)
        source = sources.mnist("test", tmp_path / "new", download=True)
        assert source.name == "mnist test"

    def test_progress_is_shown_on_a_terminal(self, small, mirror, tmp_path, monkeypatch):
        content, address = mirror
        lay(content, packed=True)
        serve(monkeypatch, f"{address}/")
        screen = io.StringIO()
        screen.isatty = lambda: True
        monkeypatch.setattr(sys, "stderr", screen)
        read(tmp_path, dataset="mnist", download=True)
        assert f"{IMAGES}.gz" in screen.getvalue()

    def test_mirrors_are_tried_in_turn(self, small, mirror, tmp_path, monkeypatch):
        content, address = mirror
        lay(content / "wrong", OTHER, packed=True)
        lay(content / "right", packed=True)
        cut = lay(content / "cut")
        for name in CONTENT:
            (cut / f"{name}.gz").write_bytes(gzip.compress(CONTENT[name])[:-10])
        serve(monkeypatch, DOWN, *(f"{address}/{folder}/" for folder in ("absent", "wrong", "cut", "right")))
        np.testing.assert_array_equal(read(tmp_path, dataset="mnist", download=True)[0], PIXELS)
        assert files_in(tmp_path) == FETCHED

    def test_the_last_mirror_fails(self, small, mirror, tmp_path, monkeypatch):
        content, address = mirror
        lay(content / "wrong", OTHER, packed=True)
        lay(content / "plain", {f"{name}.gz": file for name, file in CONTENT.items()})
        serve(monkeypatch, DOWN, f"{address}/absent/", f"{address}/wrong/", f"{address}/plain/")
        with pytest.raises(UnreadableFile) as caught:
            read(tmp_path / "new" / "folder", dataset="mnist", download=True)
        message = str(caught.value)
        assert f"{IMAGES}.gz of mnist could not be downloaded: {DOWN} does not answer as it should" in message
        assert f"{address}/absent/ answers 404 (File not found)" in message
        digest = hashlib.sha256(OTHER[IMAGES]).hexdigest()
        assert f"{address}/wrong/ sent a file of other content (SHA-256 {digest})" in message
        assert f"{address}/plain/ sent a damaged file" in message
        assert message.endswith(f"call again, or put the file in {tmp_path / 'new' / 'folder' / 'mnist'} yourself")
        assert files_in(tmp_path) == []

    def test_only_what_is_missing_is_fetched_and_beside_the_rest(self, small, mirror, tmp_path, monkeypatch):
        content, address = mirror
        lay(content, {LABELS: CONTENT[LABELS]}, packed=True)
        serve(monkeypatch, content.as_uri() + "/")
        lay(tmp_path, {IMAGES: CONTENT[IMAGES]})
        read(tmp_path, dataset="mnist", download=True)
        assert files_in(tmp_path) == [IMAGES, f"{LABELS}.gz"]

    @pytest.mark.parametrize("name", [IMAGES, LABELS])
    def test_nothing_is_fetched_to_lie_beside_other_data(self, small, tmp_path, monkeypatch, name):
        serve(monkeypatch)
        lay(tmp_path, {name: OTHER[name]})
        with pytest.raises(UnreadableFile, match=f"it is {name} of fashion-mnist"):
            read(tmp_path, dataset="mnist", download=True)
        assert files_in(tmp_path) == [name]

    def test_an_endless_answer_is_cut_off(self, small, mirror, tmp_path, monkeypatch):
        content, address = mirror
        lay(content, packed=True)
        monkeypatch.setattr(download, "_LARGEST", 500)
        serve(monkeypatch, f"{address}/")
        with pytest.raises(UnreadableFile, match="sends more than 500 bytes"):
            read(tmp_path, dataset="mnist", download=True)
        bomb = {IMAGES: bytes(10**7)}
        monkeypatch.setattr(download, "_LARGEST", 2 * 10**4)
        lay(content, bomb, packed=True)
        with pytest.raises(UnreadableFile, match="sent a file of other content"):
            read(tmp_path, dataset="mnist", download=True)
        assert files_in(tmp_path) == []

    @pytest.mark.parametrize("breaks_with", [KeyboardInterrupt, ConnectionResetError])
    def test_an_interruption_leaves_nothing_behind(self, small, mirror, tmp_path, monkeypatch, breaks_with):
        content, address = mirror
        lay(content, packed=True)
        opened = urllib.request.urlopen

        def failing(url, timeout):
            response = opened(url, timeout=timeout)
            whole = response.read

            def once(_):
                response.read = stop
                return whole(100)

            def stop(_):
                assert list(tmp_path.rglob("*.partial"))  # what there is has been written
                raise breaks_with

            response.read = once
            return response

        monkeypatch.setattr(urllib.request, "urlopen", failing)
        serve(monkeypatch, f"{address}/")
        with pytest.raises((KeyboardInterrupt, UnreadableFile)) as caught:
            read(tmp_path, dataset="mnist", download=True)
        said = " ".join([str(caught.value), *getattr(caught.value, "__notes__", [])]).lower()
        assert "nothing was kept" in said
        assert "call again" in said
        assert files_in(tmp_path) == []
        gc.collect()

    def test_a_folder_that_cannot_be_written_to(self, small, mirror, tmp_path, monkeypatch):
        content, address = mirror
        lay(content, packed=True)
        serve(monkeypatch, f"{address}/")
        (tmp_path / "file").write_text("")
        with pytest.raises(SaveFailed, match="cannot be made .*; choose a folder you may write to"):
            read(tmp_path / "file", dataset="mnist", download=True)

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(SaveFailed, match="was not written .No space left on device.; free some space"):
            read(tmp_path, dataset="mnist", download=True)
        assert files_in(tmp_path) == ["file"]

    def test_any_data_have_no_mirror(self, tmp_path):
        with pytest.raises(InvalidInput, match="dataset='any' has no place to download from; choose one of mnist, "):
            read(tmp_path, download=True)


class TestRealData:
    """Runs where the environment variable RDCSOLVE_DATA names a folder with the data."""

    FIRST = {
        ("mnist", "train"): [5, 0, 4, 1, 9],
        ("mnist", "test"): [7, 2, 1, 0, 4],
        ("fashion-mnist", "train"): [9, 0, 0, 3, 0],
        ("fashion-mnist", "test"): [9, 2, 1, 1, 6],
    }
    FOLDER = os.environ.get("RDCSOLVE_DATA")

    @pytest.mark.parametrize(("dataset", "part"), FIRST)
    def test_counts_and_first_labels(self, dataset, part):
        if not self.FOLDER:
            pytest.skip("RDCSOLVE_DATA is not set")
        places = [Path(self.FOLDER, place) for place in ("fashion-mnist", "FashionMNIST")]
        if dataset == "fashion-mnist" and not any(place.exists() for place in places):
            pytest.skip("RDCSOLVE_DATA has no subfolder of Fashion-MNIST")
        images, classes = image_arrays(part, self.FOLDER, dataset=dataset)
        n = {"train": 60_000, "test": 10_000}[part]
        assert (images.shape, classes.shape) == ((n, 28, 28), (n,))
        assert classes[:5].tolist() == self.FIRST[dataset, part]
        assert set(np.unique(classes)) == set(range(10))

    def test_source(self):
        if not self.FOLDER:
            pytest.skip("RDCSOLVE_DATA is not set")
        source = sources.mnist("test", self.FOLDER, n=1000, rng=1)
        assert repr(source) == "Source('mnist test', n_x=1000, dim=784, labels=(10,))"
        assert (source.points.min(), source.points.max()) == (0.0, 1.0)
        assert (source.labels[0].sum(axis=0) > 50).all()
