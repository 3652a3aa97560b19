"""Files of sweeps end with a digest: HDF5 may never end on a damaged file, so it is not asked to read one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc

xarray = pytest.importorskip("xarray")
pytest.importorskip("netCDF4")
COIN = rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], D=0.1)
POINTS = [0.1, 0.2]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("sweeps") / "sweep.nc"
    return path, rdc.sweep(COIN, D=POINTS, save=path), path.read_bytes()


@given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_no_byte_may_differ(saved, place, change):
    path, _, whole = saved
    content = bytearray(whole)
    content[int(place * (len(whole) - 64))] ^= change
    damaged = path.with_name("damaged.nc")
    damaged.write_bytes(content)
    if place * (len(whole) - 64) < len(whole) - 81:
        with pytest.raises(rdc.UnreadableFile, match="its digest differs"):
            rdc.sweep(COIN, D=POINTS, save=damaged)
    else:  # without the words in front of it there is no digest, but then what HDF5 reads is whole
        rdc.sweep(COIN, D=POINTS, save=damaged)


def test_other_programs_read_the_file_and_what_they_write_is_read(saved):
    path, data, whole = saved
    path.write_bytes(whole)
    with xarray.open_dataset(path) as held:
        xarray.testing.assert_equal(held.load(), data)
        again = path.with_name("again.nc")
        held.to_netcdf(again)
    assert rdc.sweep(COIN, D=POINTS, save=again).status.values.tolist() == data.status.values.tolist()
