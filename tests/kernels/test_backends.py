"""Kernels on a device: the same numbers as NumPy's, through the array API alone, and sentences where there is none."""

import sys
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.kernels import Backend, BlockKernel, DenseKernel, DeviceColumns, DeviceKernel, backends, make_kernel
from rdcsolve.problems import BlockLoss, SeparableLoss
from rdcsolve.testing import check_kernel, known_problems

strict_namespace = pytest.importorskip("array_api_strict")


def strict(**options):
    """A device that NumPy cannot read, of a library that has nothing but the standard."""
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        pytest.skip("array-api-strict calls np.asarray(copy=...), which came with NumPy 2, to leave its devices")
    device, host = strict_namespace.Device("device1"), strict_namespace.Device("CPU_DEVICE")
    return Backend("strict", strict_namespace, device, host, **options)


def torch():
    pytest.importorskip("torch")
    return backends.find("torch")


MAKERS = [strict, torch]


def random_problem(seed, n, k, n_losses):
    rng = np.random.default_rng(seed)
    x, y = np.sort(rng.standard_normal(n)), np.sort(rng.standard_normal(k))
    losses = {"distortion": (x[:, None] - y) ** 2, "other": rng.random((n, k))}
    if seed % 3 == 0:
        losses["distortion"][rng.random((n, k)) < 0.2] = np.inf
        losses["distortion"][:, 0] = (x - y[0]) ** 2
    p = rng.dirichlet(np.ones(n))
    problem = rdc.Problem.from_arrays(
        p, losses["distortion"], losses={"other": losses["other"]} if n_losses > 1 else None, D=1.0
    )
    free = rdc.solve(problem.at_multipliers(**dict.fromkeys(list(losses)[:n_losses], 2.0)))
    return problem.with_limits(**{name: float(free.losses[name]) for name in list(losses)[:n_losses]})


# ------------------------------------------------------------------------------------- kernels


@pytest.mark.parametrize("make", MAKERS)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_kernel_on_a_device_is_a_kernel(make, seed):
    rng = np.random.default_rng(seed)
    n, k, count = int(rng.integers(1, 30)), int(rng.integers(1, 30)), int(rng.integers(1, 4))
    losses = [rng.random((n, k)) * 10.0 ** rng.integers(-2, 3) for _ in range(count)]
    multipliers = rng.random(count) * 10.0 ** rng.integers(-2, 2)
    forbidden = rng.random((n, k)) < 0.3 if seed % 2 else None
    check_kernel(DeviceKernel(losses, multipliers, forbidden, make()))


@pytest.mark.parametrize("make", MAKERS)
@given(seed=st.integers(0, 2**32 - 1))
def test_newton_systems_are_solved_as_accurately_as_they_allow(make, seed):
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(2, 40)), int(rng.integers(1, 30))
    kernel = DeviceKernel([rng.random((n, k)) ** 2], np.array([5.0]), None, make())
    weights, scaling = rng.random(n), 10.0 ** rng.uniform(-8, 8, k)  # z / q spans as many decades near a solution
    places = rng.permutation(k)[: max(1, k // 2)]
    right = rng.standard_normal(places.size)
    x = kernel.at(places).factorised(weights, scaling[places])(right)
    root = kernel.columns(places) * np.sqrt(weights)[:, None] * scaling[places]
    exact = root.T @ root + np.eye(places.size)
    # backward stable: the residual is that of rounding the matrix and the solution
    assert np.abs(exact @ x - right).max() <= 1e-11 * (np.abs(exact) @ np.abs(x) + np.abs(right)).max()


def test_where_the_product_is_not_definite_the_factor_comes_from_qr():
    """A matrix whose entries reach 1e32: the identity is lost in them, and Cholesky's method fails."""
    backend = strict()
    column = np.array([1.0, 1.0, 1.0])
    matrix = np.stack([column, column * (1 + 1e-15)], axis=1)
    solved = DeviceColumns(backend, backend.put(matrix)).factorised(np.ones(3), np.full(2, 1e16))
    assert np.isfinite(solved(np.array([1.0, -1.0]))).all()


def test_a_matrix_that_is_not_finite_is_a_breakdown_not_a_number():
    backend = strict()
    with pytest.raises(FloatingPointError, match="not finite"):
        DeviceColumns(backend, backend.put(np.ones((2, 2)))).factorised(np.ones(2), np.array([np.inf, 1.0]))


def test_losses_are_carried_to_the_device_once():
    backend, losses = strict(), [np.random.default_rng(m).random((5, 4)) for m in range(2)]
    carried = []
    put = backend.put
    backend.put = lambda array: carried.append(array.shape) or put(array)
    for multiplier in (1.0, 2.0, 3.0):
        DeviceKernel(losses, np.array([multiplier, 1.0]), None, backend)
    assert carried == [(5, 4), (5, 4)]
    backend.forget()
    DeviceKernel(losses, np.ones(2), None, backend)
    assert len(carried) == 4


# ------------------------------------------------------------------------------------- makers


def test_the_maker_uses_the_device_in_use_and_no_other():
    losses, ones = [np.random.default_rng(0).random((5, 4))], np.ones(1)
    assert isinstance(make_kernel(losses, ones), DenseKernel)
    with backends.using(strict()):
        assert isinstance(make_kernel(losses, ones), DeviceKernel)
        with backends.using(None):
            assert isinstance(make_kernel(losses, ones), DeviceKernel)
    assert isinstance(make_kernel(losses, ones), DenseKernel)


def test_losses_that_are_not_stored_are_where_the_device_has_room():
    points = np.random.default_rng(0).standard_normal((30, 2))
    loss = rdc.problems.Loss("distortion", BlockLoss("squared_error", points, points[:12])).structure
    with backends.using(strict(free_bytes=lambda: 5 * 8 * 30 * 12)):
        kernel = make_kernel([loss], np.ones(1))
        assert isinstance(kernel, DeviceKernel)
        check_kernel(kernel)
    with backends.using(strict(free_bytes=lambda: 5 * 8 * 30 * 12 - 1)):
        assert isinstance(make_kernel([loss], np.ones(1)), BlockKernel)


# ------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize("solver", [rdc.InteriorPoint(), rdc.ColumnGeneration(), rdc.BlahutArimoto(), None])
@pytest.mark.parametrize("make", MAKERS)
def test_answers_agree_within_their_certificates(make, solver):
    slow = isinstance(solver, rdc.BlahutArimoto)
    for seed in range(1 if slow else 4):
        problem = random_problem(seed, 40 + 20 * seed, 30, 1 + seed % 2)
        tolerance = 1e-2 if slow else 1e-9
        here = rdc.solve(problem, solver, tolerance=tolerance)
        there = rdc.solve(problem, solver, tolerance=tolerance, backend=make())
        assert there.proof is rdc.Proof.CERTIFIED
        assert here.rate_lower <= there.rate_upper
        assert there.rate_lower <= here.rate_upper
        assert there.verify(problem).valid


@pytest.mark.parametrize("name", ["P1a_100", "P1b_100", "P2", "P1a_500", "P3"])
def test_known_problems_on_a_device(name):
    known = known_problems()[name]
    result = rdc.solve(known.problem, backend=strict())
    assert (result.status, result.proof) == (rdc.Status.OPTIMAL, rdc.Proof.CERTIFIED)
    assert result.objective_lower <= known.upper
    assert known.lower <= result.objective_upper


def test_structures_of_their_own_stay_as_they_are():
    axis = np.linspace(-2, 2, 12)
    p = np.exp(-(axis[:, None] ** 2) - axis**2).ravel()
    loss = SeparableLoss.between("squared_error", [axis, axis])
    problem = rdc.Problem.from_arrays(p / p.sum(), loss, D=0.3)
    here, there = rdc.solve(problem), rdc.solve(problem, backend=strict())
    assert there.rate_lower == pytest.approx(here.rate_lower, abs=1e-8)


def test_sweeps_and_tradeoffs_take_a_backend():
    problem = random_problem(1, 20, 15, 2)
    data = rdc.sweep(problem.with_limits(other=10.0), D=[0.3, 0.5], backend="numpy")
    assert (data.status == "OPTIMAL").all()
    with pytest.raises(rdc.InvalidInput, match="backend is 'gpu'; give one of 'auto', 'numpy', 'cupy', 'torch'"):
        rdc.sweep(problem, D=[0.3, 0.5], backend="gpu")
    with pytest.raises(rdc.InvalidInput, match="backend is 7"):
        rdc.tradeoff(problem, 0.5, "other", backend=7)


# ------------------------------------------------------------------------------------- none there


def test_a_library_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    problem = random_problem(1, 5, 4, 1)
    with pytest.raises(rdc.BackendUnavailable, match="CuPy is not installed .*; pass backend='numpy'"):
        rdc.solve(problem, backend="cupy")
    assert rdc.solve(problem, backend="auto").proof is rdc.Proof.CERTIFIED


def test_cupy_without_a_driver(monkeypatch):
    def missing():
        raise RuntimeError("cudaErrorInsufficientDriver:\n  CUDA driver version is insufficient")

    monkeypatch.setitem(sys.modules, "cupy", types.SimpleNamespace(cuda=types.SimpleNamespace(Device=missing)))
    with pytest.raises(rdc.BackendUnavailable, match="no GPU that works .cudaErrorInsufficientDriver: CUDA driver"):
        rdc.solve(random_problem(1, 5, 4, 1), backend="cupy")


def test_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "array_api_compat", None)
    with pytest.raises(rdc.errors.MissingExtra, match=r"backend='torch' needs the extra gpu: pip install"):
        backends.find("torch")


def test_auto_takes_no_device_for_small_problems(monkeypatch):
    asked = []
    monkeypatch.setattr(backends, "_imported", lambda: asked.append(1))
    assert backends.find("auto", backends.LARGE - 1) is None
    assert not asked
    backends.find("auto", backends.LARGE)
    assert asked


def test_a_device_that_runs_out_of_memory():
    class Full(Exception):
        pass

    def raising(*_, **__):
        raise Full("out of memory")

    full = strict(out_of_memory=(Full,))
    full.put = raising
    with pytest.raises(rdc.errors.OutOfMemory, match="memory of the device of backend='strict' is used up; pass"):
        rdc.solve(random_problem(1, 6, 5, 1), backend=full)


# ------------------------------------------------------------------------------------- a GPU


def gpu(name):
    pytest.importorskip(name)
    try:
        backend = backends.find(name)
    except rdc.BackendUnavailable as error:
        pytest.skip(str(error))
    if str(backend.device) == "cpu":
        pytest.skip("PyTorch finds no GPU")
    return backend


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["cupy", "torch"])
def test_a_gpu_gives_the_same_answers(name):
    backend = gpu(name)
    rng = np.random.default_rng(0)
    for masked in (False, True):
        losses = [rng.random((60, 50)), rng.random((60, 50))]
        check_kernel(
            DeviceKernel(losses, np.array([9.0, 2.0]), rng.random((60, 50)) < 0.3 if masked else None, backend)
        )
    for seed in range(6):
        problem = random_problem(seed, 100, 80, 1 + seed % 2)
        for solver in (rdc.InteriorPoint(), rdc.ColumnGeneration()):
            here, there = rdc.solve(problem, solver), rdc.solve(problem, solver, backend=name)
            assert (there.status, there.proof) == (here.status, here.proof)
            assert here.rate_lower <= there.rate_upper
            assert there.rate_lower <= here.rate_upper


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["cupy", "torch"])
def test_a_gpu_that_runs_out_of_memory_says_so(name):
    backend = gpu(name)

    def hoard():
        with backends.using(backend):
            return [backend.xp.ones((2**30,), device=backend.device) for _ in range(10**4)]

    with pytest.raises(rdc.errors.OutOfMemory, match="memory of the device"):
        hoard()
