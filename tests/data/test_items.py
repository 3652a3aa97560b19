"""Data sets that hand out pairs of an image and its class: arrays, tensors, Pillow's images, torchvision's sets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcsolve import sources
from rdcsolve.errors import InvalidInput


class Pairs:
    """A data set with names for its classes, which makes its items anew each time."""

    def __init__(self, pixels, labels, made, names=()):
        self.pixels, self.labels, self.made, self.classes = pixels, labels, made, list(names)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, k):
        return self.made(self.pixels[k]), self.labels[k]


def as_tensor(pixels):
    torch = pytest.importorskip("torch")
    return torch.from_numpy(pixels).float()[None] / 255  # what ToTensor of torchvision makes of it


def as_picture(pixels):
    return pytest.importorskip("PIL.Image").fromarray(pixels)


@given(st.integers(0, 2**32 - 1), st.sampled_from([np.asarray, np.ndarray.tolist, as_tensor, as_picture]))
def test_whatever_holds_the_pixels(seed, made):
    rng = np.random.default_rng(seed)
    n, shape = int(rng.integers(1, 8)), tuple(rng.integers(1, 5, size=2))
    pixels, labels = rng.integers(256, size=(n, *shape), dtype=np.uint8), rng.integers(3, size=n)
    source = sources.images(Pairs(pixels, labels.tolist(), made, ["ape", "bee", "cat"]))
    scale = 1 if made is np.ndarray.tolist else 255  # numbers in a list are not known to be bytes
    assert source.points == pytest.approx(pixels.reshape(n, -1) / scale, abs=1e-7)
    assert np.array_equal(source.labels[0], np.eye(3)[labels])
    assert source.classes == (("ape", "bee", "cat"),)
    assert source.p_x == pytest.approx(np.full(n, 1 / n))
    few = sources.images(Pairs(pixels, labels, np.asarray), n=1, rng=seed)
    assert few.points[0] in (pixels.reshape(n, -1) / 255)


def test_sets_of_torchvision():
    datasets = pytest.importorskip("torchvision.datasets")
    transforms = pytest.importorskip("torchvision.transforms")
    plain, turned = (
        datasets.FakeData(6, (1, 28, 28), transform=transform)
        for transform in (transforms.Grayscale(), transforms.Compose([transforms.Grayscale(), transforms.ToTensor()]))
    )
    one, other = sources.images(plain), sources.images(turned)
    assert one.points == pytest.approx(other.points, abs=1e-7)
    assert one.points.shape == (6, 784)


def test_images_of_the_networks():
    pytest.importorskip("torch")
    from rdcsolve.neural import Images

    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(256, size=(5, 28, 28), dtype=np.uint8), [3, 1, 4, 1, 5]
    for made in (np.asarray, as_tensor):
        found = Images.of(Pairs(pixels, labels, made))
        assert np.array_equal(found.bytes.numpy(), pixels.reshape(5, -1))
        assert found.classes.tolist() == labels
        assert len(Images.of(Pairs(pixels, labels, made), 2)) == 2
    for dataset, fault in (
        (Pairs(pixels[:, 1:], labels, np.asarray), "28 x 28"),
        (Pairs(pixels, labels, lambda one: one / 128 - 1), "are not bytes divided by 255"),
    ):
        with pytest.raises(InvalidInput, match=fault):
            Images.of(dataset)


@pytest.mark.parametrize(
    ("dataset", "fault"),
    [
        ("MNIST", "item 0 of dataset is str"),
        (3, "dataset is int"),
        ([], "dataset has no items"),
        ([np.zeros(3)], "item 0 of dataset is ndarray"),
        ([(np.zeros(2), 0), (np.zeros(3), 0)], "give images of one shape"),
        ([(np.zeros(2), "cat")], "the class of item 0 is 'cat'"),
        ([(np.zeros(2), -1)], "the class of item 0 is -1"),
        ([(np.zeros(2), 0.5)], "the class of item 0 is 0.5"),
        ([([0.0, np.nan], 0)], "entries that are not finite"),
        ([("picture.png", 0)], "the image of item 0"),
    ],
)
def test_bad_sets(dataset, fault):
    with pytest.raises(InvalidInput, match=fault):
        sources.images(dataset)


def test_more_images_than_there_are():
    with pytest.raises(InvalidInput, match="n is 3 but there are 2 images"):
        sources.images([(np.zeros(2), 0)] * 2, n=3)
