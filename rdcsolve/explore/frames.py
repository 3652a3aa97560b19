"""Sweeps and trade-offs as tidy tables, one row a point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rdcsolve import options
from rdcsolve.calls import public_call

if TYPE_CHECKING:
    import pandas


@public_call
def to_dataframe(data: Any) -> pandas.DataFrame:
    """Return a sweep or a trade-off as a frame of pandas with one row a point.

    Parameters
    ----------
    data : xarray.Dataset
        Of `sweep` or `tradeoff`.

    Returns
    -------
    pandas.DataFrame
        A column for each axis, each variable with one number a point, and ``losses_NAME``, ``multipliers_NAME`` and
        ``minimum_NAME`` for the variables that have one a loss or limit. `attrs` holds the attributes of the data set,
        its unit among them.

    Raises
    ------
    InvalidInput
        If `data` is none of these.

    Examples
    --------
    >>> from rdcsolve import Problem, sweep, to_dataframe
    >>> frame = to_dataframe(sweep(Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]]), D=[0.1, 0.2]))
    >>> frame["rate_upper"].round(4).tolist(), frame["status"].tolist()
    ([0.2858, 0.1105], ['OPTIMAL', 'OPTIMAL'])
    """
    data = options.dataset(data)
    axes = [str(name) for name in data.dims if name not in ("loss", "limit")]
    wide = data.drop_vars([name for name in data.data_vars if not set(axes) <= set(data[name].dims)])
    for name in list(wide.data_vars):
        more = [str(one) for one in wide[name].dims if one not in axes]
        if more:
            split = {f"{name}_{entry}": wide[name].sel({more[0]: entry}, drop=True) for entry in wide[more[0]].values}
            wide = wide.drop_vars(name).assign(split)
    frame = wide.drop_dims([str(name) for name in wide.dims if name not in axes]).to_dataframe(dim_order=axes)
    frame = frame.reset_index()
    frame.attrs = dict(data.attrs)
    return frame
