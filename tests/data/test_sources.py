"""Sources: grids with known entropies, samples and alphabets from files, digits, k-means codebooks."""

import math
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcsolve import data as sources
from rdcsolve.errors import InvalidInput, UnreadableFile
from rdcsolve.files import read_arrays
from rdcsolve.information import conditional_entropy, entropy, mutual_information
from rdcsolve.problems import ClassifierLossLimit, Problem
from rdcsolve.problems.storage import problem_of

_H_GAUSSIAN = 0.5 * math.log(2 * math.pi * math.e)


def step(source):
    return source.points[1, 0] - source.points[0, 0]


class TestDensities:
    @pytest.mark.parametrize("n", [100, 2000])
    def test_gaussian_is_the_density_on_five_deviations(self, n):
        source = sources.gaussian(n)
        x = np.linspace(-5, 5, n)
        density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
        np.testing.assert_array_equal(source.points[:, 0], x)
        np.testing.assert_allclose(source.p_x, density / density.sum(), rtol=1e-14)

    def test_laplace_is_the_density_on_ten_scales(self):
        source = sources.laplace()
        x = np.linspace(-10, 10, 1000)
        np.testing.assert_array_equal(source.points[:, 0], x)
        np.testing.assert_allclose(source.p_x, np.exp(-np.abs(x)) / np.exp(-np.abs(x)).sum(), rtol=1e-14)

    @pytest.mark.parametrize("var_x", [0.25, 1.0, 9.0])
    def test_gaussian_has_its_differential_entropy_and_variance(self, var_x):
        source = sources.gaussian(801, var_x=var_x, half_width=8)
        assert entropy(source.p_x) + math.log(step(source)) == pytest.approx(
            _H_GAUSSIAN + 0.5 * math.log(var_x), abs=1e-9
        )
        assert source.p_x @ source.points[:, 0] ** 2 == pytest.approx(var_x, rel=1e-9)

    def test_laplace_has_its_mean_absolute_value(self):
        source = sources.laplace(1001, scale=2.0, half_width=40)
        h = step(source) / 2.0  # masses are geometric, with mean absolute value h / sinh(h) in units of the scale
        assert source.p_x @ np.abs(source.points[:, 0]) == pytest.approx(2.0 * h / math.sinh(h), rel=1e-12)

    def test_uniform(self):
        source = sources.uniform(5, low=0, high=4)
        assert source.points[:, 0].tolist() == [0, 1, 2, 3, 4]
        assert entropy(source.p_x) == pytest.approx(math.log(5), abs=1e-15)

    @given(st.floats(0, 1), st.floats(0, 1))
    def test_binary_sources(self, b, p1):
        pair = sources.binary_pair(b, p1)
        np.testing.assert_array_equal(sources.bernoulli(b).p_x, [1 - b, b])
        assert (pair.p_x @ pair.labels[0])[1] == pytest.approx(b * (1 - p1) + (1 - b) * p1, abs=1e-15)

    @pytest.mark.parametrize("rho", [-0.9, 0.0, 0.7])
    def test_gaussian_pair_has_its_mutual_information(self, rho):
        source = sources.gaussian_pair(rho, n_x=161, n_s=161, var_x=4.0, var_s=0.25, half_width=8)
        assert mutual_information(source.p_x, source.labels[0]) == pytest.approx(-0.5 * math.log(1 - rho**2), abs=1e-8)
        p_s, s = source.p_x @ source.labels[0], np.linspace(-4, 4, 161)
        assert p_s @ s**2 == pytest.approx(0.25, rel=1e-8)
        assert (source.p_x * source.points[:, 0]) @ source.labels[0] @ s == pytest.approx(rho, abs=1e-8)

    def test_gaussian_pair_close_to_perfect_correlation_keeps_valid_rows(self):
        rows = sources.gaussian_pair(1 - 1e-12, n_x=51, n_s=40).labels[0]
        np.testing.assert_allclose(rows.sum(axis=1), 1.0, rtol=1e-14)


class TestMixture:
    def test_posterior_is_bayes_rule(self):
        source = sources.mixture([-1.0, 2.0], [0.5, 1.5], [1, 3], n_x=301, low=-6, high=9)
        x = source.points[:, 0]
        joint = np.stack([w / s * np.exp(-(((x - m) / s) ** 2) / 2) for m, s, w in [(-1, 0.5, 1), (2, 1.5, 3)]], axis=1)
        np.testing.assert_allclose(source.p_x, joint.sum(axis=1) / joint.sum(), rtol=1e-12)
        np.testing.assert_allclose(source.labels[0], joint / joint.sum(axis=1, keepdims=True), rtol=1e-12)
        np.testing.assert_allclose(source.p_x @ source.labels[0], [0.25, 0.75], atol=1e-6)

    def test_one_component_is_a_gaussian(self):
        np.testing.assert_allclose(sources.mixture([0.0]).p_x, sources.gaussian(401).p_x, rtol=1e-12)

    def test_the_last_coordinate_runs_fastest(self):
        source = sources.mixture([[0, 0], [1, 2]], [[1.0, 2.0], [0.5, 0.5]], n_x=(3, 4), low=(-1, -2), high=1)
        x, y = np.linspace(-1, 1, 3), np.linspace(-2, 1, 4)
        np.testing.assert_array_equal(source.points, [[a, b] for a in x for b in y])

    def test_a_separable_mixture_has_masses_that_factor(self):
        table = sources.mixture([[0.5, -1.0]], [[0.3, 2.0]], n_x=20, low=-2, high=2).p_x.reshape(20, 20)
        np.testing.assert_allclose(table, np.outer(table.sum(axis=1), table.sum(axis=0)), atol=1e-16)

    def test_far_points_and_components_without_weight_keep_valid_posteriors(self):
        source = sources.mixture([0.0, 50.0, 3.0], 0.1, [1, 1, 0], n_x=201, low=-500, high=500)
        assert (source.p_x == 0).any()
        np.testing.assert_allclose(source.labels[0].sum(axis=1), 1.0, rtol=1e-14)
        assert (source.labels[0][:, 2] == 0).all()
        assert source.labels[0][0].tolist() == [1, 0, 0]


class TestDigits:
    def test_pixels_masses_and_classes(self):
        source = sources.digits()
        assert (source.n_x, source.dim) == (1797, 64)
        assert (source.points.min(), source.points.max()) == (0.0, 1.0)
        np.testing.assert_allclose(source.p_x, 1 / 1797, rtol=1e-13)
        assert set(np.unique(source.labels[0])) == {0.0, 1.0}
        assert source.labels[0].sum(axis=0).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
        assert conditional_entropy(source.p_x, source.labels[0], np.eye(1797)) == 0.0

    def test_halves_are_complementary_and_repeatable(self):
        everything, train, test = (
            sources.digits(),
            sources.digits("train", rng=3),
            sources.digits("test", rng=3),
        )
        assert (train.n_x, test.n_x) == (898, 899)
        rows = {row.tobytes() for row in train.points} | {row.tobytes() for row in test.points}
        assert rows == {row.tobytes() for row in everything.points}
        np.testing.assert_array_equal(sources.digits("train", rng=3).points, train.points)
        assert not np.array_equal(sources.digits("train", rng=4).points, train.points)

    def test_a_nearest_class_mean_classifier_reads_the_labels(self):
        train, test = sources.digits("train"), sources.digits("test")
        means = (train.labels[0].T @ train.points) / train.labels[0].sum(axis=0)[:, None]

        def nearest(points):
            distance = ((points[:, None, :] - means[None]) ** 2).sum(axis=2)
            return np.eye(10)[distance.argmin(axis=1)]

        limit = ClassifierLossLimit(1.0, nearest, loss="error_rate")
        losses = Problem(test, limits=[limit]).losses[1].matrix
        assert 0.05 < test.p_x @ np.diag(losses) < 0.15  # what is lost when every image is kept as it is


class TestKmeansCodebook:
    def test_finds_separated_clusters_with_their_weighted_means(self):
        source = sources.empirical([0.0, 1.0, 10.0, 11.0], weights=[3, 1, 1, 1])
        codebook = sources.kmeans_codebook(source, 2)
        np.testing.assert_allclose(codebook, [[0.25], [10.5]], rtol=1e-12)
        assert not codebook.flags.writeable

    def test_points_without_mass_do_not_count(self):
        source = sources.empirical([0.0, 1.0, 99.0], weights=[1, 1, 0])
        np.testing.assert_allclose(sources.kmeans_codebook(source, 2), [[0], [1]], atol=1e-12)
        with pytest.raises(InvalidInput, match="size is 3 but there are 2 distinct points; ask for at most 2"):
            sources.kmeans_codebook(source, 3)

    def test_seed_decides(self):
        source = sources.digits("train")
        first, again = (sources.kmeans_codebook(source, 16, rng=5) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        assert first.shape == (16, 64)

    def test_batches_find_nearly_as_good_a_codebook(self):
        source = sources.digits("train")

        def error(codebook):
            return ((source.points[:, None] - codebook) ** 2).sum(axis=2).min(axis=1).mean()

        first, again = (sources.kmeans_codebook(source, 16, rng=5, batch_size=256) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        full = error(sources.kmeans_codebook(source, 16, rng=5))
        assert full < error(first) < 1.1 * full
        with pytest.raises(InvalidInput, match="batch_size is 0"):
            sources.kmeans_codebook(source, 2, batch_size=0)


class TestCsv:
    def test_columns_labels_and_weights(self, tmp_path):
        path = tmp_path / "samples.csv"
        path.write_text("\ufeffx, y,class,w,kind\n1,2,10,1,a\n1,2,9,3,b\n\n3,4,9,4,a\n", encoding="utf-8")
        source = sources.from_csv(path, ["x", "y"], labels=["class", "kind"], weight="w")
        assert source.points.tolist() == [[1, 2], [3, 4]]
        assert source.p_x.tolist() == [0.5, 0.5]
        assert source.labels[0].tolist() == [[0.75, 0.25], [1, 0]]  # 9 before 10
        assert source.labels[1].tolist() == [[0.25, 0.75], [1, 0]]
        assert source.name == "samples.csv"
        rest = sources.from_csv(path, labels=["class", "kind"], weight="w")
        np.testing.assert_array_equal(rest.points, source.points)
        assert sources.from_csv(path, "y").points.tolist() == [[2], [4]]

    def test_other_delimiters(self, tmp_path):
        path = tmp_path / "samples.csv"
        path.write_text('x;s\n"1.5";one\n2.5;two\n')
        source = sources.from_csv(path, "x", labels="s", delimiter=";", name="mine")
        assert (source.points.tolist(), source.name) == ([[1.5], [2.5]], "mine")

    @pytest.mark.parametrize(
        ("text", "arguments", "message"),
        [
            ("", {}, r"0 lines with content; it needs a header"),
            ("x,y\n", {}, r"1 lines with content; it needs a header and at least one sample"),
            ("x,y\n1,2\n3\n", {}, r"line 3 of .* has 1 cells for 2 columns; fix that line"),
            ("x,y\n1,two\n", {}, r"line 2 of .*: column 'y' is 'two', not a finite number; fix or drop"),
            ("x,y\n1,\n", {}, r"line 2 of .*: column 'y' is empty; fix or drop"),
            ("x,y\n,\n", {}, r"line 2 of .*: column 'x' is empty; fix or drop"),
            ("x,y\n1,nan\n", {}, r"column 'y' is 'nan', not a finite number"),
            ("x,y\n1,inf\n", {}, r"column 'y' is 'inf', not a finite number"),
            ("x,x\n1,2\n", {}, r"more than one column called 'x'; give columns distinct names"),
            ("x,y\n1,2\n", {"columns": "z"}, r"no column 'z'; its columns are 'x', 'y'"),
            ("x,y\n1,2\n", {"columns": "x", "labels": "s"}, r"no column 's'; its columns are"),
            ("x,y\n1,2\n", {"columns": "x", "weight": "w"}, r"no column 'w'; its columns are"),
            ("x,y\n1,2\n", {"labels": ["x", "y"]}, r"no feature column is chosen .*; name at least one"),
            ("x,s\n1,\n", {"labels": "s"}, r"line 2 of .*: label 's' is empty; fix or drop"),
            ("x,w\n1,-2\n", {"weight": "w"}, r"weights\[0\] is -2; masses must be"),
            ("x,w\n1,0\n", {"weight": "w"}, r"weights sums to 0 and cannot be normalised"),
            ("x,w\n1,a\n", {"weight": "w"}, r"column 'w' is 'a', not a finite number"),
            ('x,y\n"1,2\n', {}, r"is not a CSV file .*; check its quotes and delimiter=','"),
            ("x\n1\n", {"delimiter": ""}, r"delimiter is ''; give one character"),
        ],
    )
    def test_defects_are_named(self, tmp_path, text, arguments, message):
        path = tmp_path / "samples.csv"
        path.write_text(text)
        with pytest.raises(InvalidInput, match=message):
            sources.from_csv(path, **arguments)

    def test_unreadable_files(self, tmp_path):
        with pytest.raises(UnreadableFile, match=r"absent\.csv does not exist; check the path"):
            sources.from_csv(tmp_path / "absent.csv")
        with pytest.raises(UnreadableFile, match="cannot be read .*; check that it is a file"):
            sources.from_csv(tmp_path)
        path = tmp_path / "binary.csv"
        path.write_bytes(b"x,y\n\xff\xfe,1\n")
        with pytest.raises(UnreadableFile, match="is not UTF-8 text .* at byte 4.*; save it as UTF-8"):
            sources.from_csv(path)


class TestNpz:
    @given(
        counts=st.lists(st.integers(0, 1000), min_size=1, max_size=8).filter(any),
        kind=st.sampled_from([np.int64, np.uint16, np.int32]),
        seed=st.integers(0, 99),
    )
    def test_integers_are_counts(self, tmp_path_factory, counts, kind, seed):
        path = tmp_path_factory.mktemp("counts") / "counts.npz"
        table = np.random.default_rng(seed).integers(0, 5, (len(counts), 3))
        table[np.array(counts) > 0, 0] += 1
        np.savez(path, p_x=np.array(counts, kind), labels_0=table.astype(kind), distortion=np.ones((len(counts), 2)))
        p_x = np.array(counts) / sum(counts)
        for source in (sources.from_npz(path), problem_of(read_arrays(path), "counts").source):
            np.testing.assert_allclose(source.p_x, p_x, rtol=1e-15)
            used = table.sum(axis=1) > 0
            np.testing.assert_allclose(source.labels[0][used], (table / table.sum(1, keepdims=True).clip(1))[used])

    def test_only_integers_are_counts(self, tmp_path):
        path = tmp_path / "counts.npz"
        np.savez(path, p_x=[5, 3, 0], labels_0=[[4, 1], [0, 3], [0, 0]])
        source = sources.from_npz(path)
        assert source.p_x.tolist() == [0.625, 0.375, 0.0]
        assert source.labels[0].tolist() == [[0.8, 0.2], [0.0, 1.0], [0.5, 0.5]]
        np.savez(path, p_x=[5.0, 3.0])
        with pytest.raises(InvalidInput, match="p_x sums to 8; pass normalise=True or rescale"):
            sources.from_npz(path)
        assert sources.from_npz(path, normalise=True).p_x.tolist() == [0.625, 0.375]
        np.savez(path, p_x=[5, 3], labels_0=[[4.0, 1.0], [0.0, 3.0]])  # counts say nothing about other arrays
        with pytest.raises(InvalidInput, match=r"row 0 of label 0 sums to 5; pass normalise=True or rescale"):
            sources.from_npz(path)
        np.savez(path, p_x=[5, -3])
        with pytest.raises(InvalidInput, match="negative"):
            sources.from_npz(path)
        np.savez(path, p_x=[0, 0])
        with pytest.raises(InvalidInput, match="p_x sums to 0"):
            sources.from_npz(path)
        np.savez(path, p_x=np.full(10, 0.1, np.float32))
        assert sources.from_npz(path).p_x.tolist() == [0.1] * 10

    def test_round_trip(self, tmp_path):
        source = sources.mixture([-1.0, 1.0], n_x=50)
        path = tmp_path / "source.npz"
        np.savez(
            path,
            points=source.points,
            p_x=source.p_x,
            labels_0=source.labels[0],
            labels_1=np.ones((50, 1)),
            note=7,
        )
        back = sources.from_npz(path)
        np.testing.assert_array_equal(back.points, source.points)
        np.testing.assert_array_equal(back.p_x, source.p_x)
        np.testing.assert_array_equal(back.labels[0], source.labels[0])
        assert (len(back.labels), back.name) == (2, "source.npz")

    def test_masses_are_enough(self, tmp_path):
        np.savez_compressed(tmp_path / "p.npz", p_x=[0.5, 0.5])
        assert sources.from_npz(tmp_path / "p.npz").points is None

    def test_eleven_labels_keep_their_order(self, tmp_path):
        labels = {f"labels_{k}": np.full((2, k + 1), 1 / (k + 1)) for k in range(11)}
        np.savez(tmp_path / "many.npz", p_x=[0.5, 0.5], **labels)
        assert [label.shape[1] for label in sources.from_npz(tmp_path / "many.npz").labels] == list(range(1, 12))

    def test_pickled_objects_are_refused_and_not_run(self, tmp_path):
        class Trap:
            def __reduce__(self):
                return (pytest.fail, ("the pickle was executed",))

        path = tmp_path / "trap.npz"
        np.savez(path, p_x=np.array([Trap()], dtype=object), allow_pickle=True)
        with pytest.raises(UnreadableFile, match="p_x.npy is pickled"):
            sources.from_npz(path)
        path.write_bytes(pickle.dumps(Trap()))
        with pytest.raises(UnreadableFile, match="damaged, pickled, or not a saved archive"):
            sources.from_npz(path)

    def test_corrupt_archives(self, tmp_path):
        path = tmp_path / "source.npz"
        np.savez_compressed(path, p_x=np.full(1000, 1e-3), points=np.arange(1000.0))
        whole = path.read_bytes()
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 0xFF
        for content in (b"", b"not an archive", whole[: len(whole) // 2], bytes(flipped)):
            path.write_bytes(content)
            with pytest.raises(UnreadableFile, match="damaged, pickled, or not a saved archive"):
                sources.from_npz(path)

    def test_what_is_missing_is_named(self, tmp_path):
        path = tmp_path / "source.npz"
        with pytest.raises(UnreadableFile, match="does not exist; check the path"):
            sources.from_npz(path)
        np.savez(path, masses=[1.0])
        with pytest.raises(UnreadableFile, match="holds masses but no p_x; save the masses as p_x"):
            sources.from_npz(path)
        np.savez(path, p_x=[1.0], labels_1=[[1.0]])
        with pytest.raises(UnreadableFile, match="1 labels but no labels_0; number them from labels_0"):
            sources.from_npz(path)
        np.save(tmp_path / "one.npy", [1.0])
        with pytest.raises(UnreadableFile, match="single array; save the arrays by name, with numpy.savez"):
            sources.from_npz(tmp_path / "one.npy")
        np.savez(path, p_x=[0.5, 0.6])
        with pytest.raises(InvalidInput, match=r"p_x sums to 1\.1; pass normalise=True or rescale"):
            sources.from_npz(path)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("p_x", b"plain text")
        with pytest.raises(UnreadableFile, match="holds nothing but no p_x"):
            sources.from_npz(path)
