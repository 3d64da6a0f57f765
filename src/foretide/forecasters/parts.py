"""Forecasts of many series, written part by part: neither all windows nor all answers are in memory at once."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
import pandas as pd

from foretide.data.files import PART, storing, write_whole
from foretide.data.reading.accept import as_panel
from foretide.data.reading.categories import names_of
from foretide.errors import ConfigError, nearest
from foretide.forecasters.levels import DEFAULT_LEVELS

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.base import Forecaster
    from foretide.typing import Frame, Times

PART_BYTES = 32 * 2**20
"""Of a table of forecasts, about."""
PART_ROWS = 2_000_000
"""Of the table at hand, about."""
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def write_forecasts(
    model: Forecaster, panel: Panel | Frame, folder: str | os.PathLike[str], *, cutoffs: Times | Windows | None = None,
    levels: float | Iterable[float] = DEFAULT_LEVELS, quantiles: float | Iterable[float] = (), h: int | None = None,
    partition: str | None = None, notes: bool = False, overwrite: bool = False,
) -> Path:  # fmt: skip
    """Forecast all series of a table and write the forecasts to a folder of Parquet files, part by part.

    Parameters
    ----------
    model : Forecaster
        Fitted.
    panel : Panel, pandas or polars data frame
        Such as :meth:`foretide.Panel.open` opens.
    folder : path
        Appears once all parts are written. ``pandas.read_parquet(folder)`` reads them all.
    cutoffs, levels, quantiles, h
        As in ``predict``.
    partition : str, optional
        The column of identifiers, or a static column: a folder for each of its values, ``shop=12``, in the place of the
        column.
    notes : bool
        As in :meth:`foretide.Forecast.to_frame`.
    overwrite : bool
        Whether a folder that is there already is replaced; it is an error otherwise.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ConfigError
        For a folder that is there, and a partition that is no such column.
    DataError, NotFittedError, StorageError
        As in ``predict``; where it cannot be written. What was there before stays.

    Examples
    --------
    >>> import foretide as ft
    >>> import pandas as pd
    >>> import tempfile
    >>> panel = ft.synthetic.supplies(T=60, n_sites=3, n_targets=2).panel
    >>> model = ft.SeasonalNaive(h=7, season=7).fit(panel)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = ft.write_forecasts(model, panel, f"{folder}/forecasts", partition="unique_id")
    ...     len(pd.read_parquet(found)), sorted(path.name for path in found.iterdir())[:2]
    (42, ['unique_id=site1%2Fitem01', 'unique_id=site1%2Fitem02'])
    """
    panel, place = as_panel(panel, model.layout), Path(folder)
    if place.exists() and not overwrite:
        raise ConfigError(f"{place} is there already. Choose another folder, or type overwrite=True.")
    values, windows = _values_of(panel, partition), model.origins(panel, cutoffs)
    central, further = (tuple(some) if isinstance(some, Iterable) else (some,) for some in (levels, quantiles))
    row_bytes = 8 * (model.h if h is None else h) * panel.n_targets * (3 + 2 * len(central) + len(further))
    with _appearing(place) as whole:
        for number, some in enumerate(_in_parts(panel, windows, row_bytes)):
            forecast = model.predict(*_alone(panel, windows[some]), central, h=h, quantiles=further)
            _write(forecast.pandas(notes=notes), whole, number, partition, values)
    return place


@contextmanager
def _appearing(place: Path) -> Iterator[Path]:
    """Give a folder to write to, which takes its place at the end; nothing has changed where that is not reached."""
    whole = place.parent / f"{PART}{uuid.uuid4().hex[:12]}"
    with storing(place, "What was there before is kept."):
        whole.mkdir(parents=True)
        try:
            yield whole
            former = whole.with_name(f"{whole.name}.former")
            if place.exists():
                os.replace(place, former)
            os.replace(whole, place)
            shutil.rmtree(former, ignore_errors=True)
        except BaseException:
            shutil.rmtree(whole, ignore_errors=True)
            raise


def _values_of(panel: Panel, partition: str | None) -> dict[str, object] | None:
    """Return the value of a static column by series; None where no static column is the partition."""
    if partition in (None, panel.names.id):
        return None
    if partition not in panel.static.names:
        known = (panel.names.id, *panel.static.names)
        raise ConfigError(f"partition={partition!r}: expected one of {', '.join(known)}. {nearest(partition, known)}")
    column = panel.static.values[:, panel.static.names.index(partition)]
    labels = panel.static.categories.get(partition)
    own = column if labels is None else names_of(column, labels)
    return dict(zip(panel.series, np.repeat(own, panel.n_targets).tolist(), strict=True))


def _in_parts(panel: Panel, windows: Windows, row_bytes: int) -> Iterator[slice]:
    """Yield windows that make one part: neighbours, whose forecasts and series are not too large."""
    entity = windows.entity
    first = np.concatenate([[True], np.diff(entity) != 0])
    cost = np.cumsum(row_bytes / PART_BYTES + first * panel.length[entity] / PART_ROWS)
    low = 0
    while low < len(windows):
        before = cost[low - 1] if low else 0.0
        high = max(low + 1, int(np.searchsorted(cost, before + 1.0, side="right")))
        yield slice(low, high)
        low = high


def _alone(panel: Panel, windows: Windows) -> tuple[Panel, Windows]:
    """Return the panel of the series of some windows alone, and these."""
    chosen, entity = np.unique(windows.entity, return_inverse=True)
    return panel.take(chosen), type(windows)(entity, windows.cutoff)


def _write(
    frame: pd.DataFrame, folder: Path, number: int, partition: str | None, values: dict[str, object] | None
) -> None:
    name = f"part-{number:05d}.parquet"
    if partition is None:
        write_whole(folder / name, lambda path: frame.to_parquet(path, index=False))
        return
    own = frame[partition] if values is None else frame.iloc[:, 0].map(values)
    rest = frame.drop(columns=partition) if values is None else frame
    for value, rows in rest.groupby(own.to_numpy(), sort=False, dropna=False):
        inside = folder / f"{partition}={quote(_text(value), safe='')}"
        write_whole(inside / name, lambda path, rows=rows: rows.to_parquet(path, index=False))  # type: ignore[misc]


def _text(value: object) -> str:
    if value is None or value != value:
        return _NO_VALUE
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
