"""Tasks of fev, the benchmark of forecasters: read, forecast, and written. The package itself is not needed here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from foretide.data.panel import Panel
from foretide.data.windows import Windows
from foretide.errors import DataError
from foretide.forecasters.base import Forecaster
from foretide.forecasters.wrappers.wrapper import Member, unfitted

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd

    from foretide.typing import Json

SQUARED = ("MSE", "RMSE", "RMSSE")
"""Metrics of fev that a mean is best for; for all others the median is."""


class FevWindow(Protocol):
    """One evaluation window, as ``fev.task.EvaluationWindow``."""

    def get_input_data(self) -> tuple[Any, Any]:
        """Return past and known future: rows, or a data set of ``datasets``, with a list per series and column."""


class FevTask(Protocol):
    """What of a ``fev.Task`` is looked at."""

    horizon: int
    quantile_levels: list[float]
    id_column: str
    timestamp_column: str
    known_dynamic_columns: list[str]
    past_dynamic_columns: list[str]
    static_columns: list[str]

    @property
    def target_columns(self) -> list[str]:
        """Names of the targets."""

    @property
    def eval_metric(self) -> str | dict[str, Any]:
        """The metric that decides."""

    def iter_windows(self) -> Iterable[Any]:
        """Go through the evaluation windows."""


def fev_predict(task: FevTask, model: Member) -> list[dict[str, list[dict[str, list[float]]]]]:
    """Forecast every window of a fev task; what comes back is what ``task.evaluation_summary`` takes.

    For every window the model is fitted anew on the past alone. Point forecasts are medians, or means where the metric
    of the task squares errors.

    Parameters
    ----------
    task : fev.Task
    model : Forecaster, str or {name: settings}
        A forecaster is copied, and forecasts the horizon of the task.

    Returns
    -------
    list of dict
        One per window: target -> for each series ``{"predictions": [...], "0.1": [...], ...}``.

    Raises
    ------
    DataError
        For a table that cannot be read, or a series of which nothing was observed.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> days = [f"2024-01-{day:02d}" for day in range(1, 22)]
    >>> past = [{"id": "a", "timestamp": days[:14], "target": [1, 2, 3, 4, 5, 6, 7] * 2}]
    >>> window = SimpleNamespace(get_input_data=lambda: (past, [{"id": "a", "timestamp": days[14:]}]))
    >>> task = SimpleNamespace(
    ...     horizon=7, quantile_levels=[0.9], id_column="id", timestamp_column="timestamp", known_dynamic_columns=[],
    ...     past_dynamic_columns=[], static_columns=[], target_columns=["target"], eval_metric="MASE",
    ...     iter_windows=lambda: [window],
    ... )
    >>> fev_predict(task, {"SeasonalNaive": {"season": 7}})[0]["target"][0]["predictions"]
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    """
    return [_window(task, model, *window.get_input_data()) for window in task.iter_windows()]


def fev_panel(task: FevTask, past: Any, future: Any = None) -> Panel:
    """Return one window of a fev task as a panel.

    Parameters
    ----------
    task : fev.Task
    past, future : datasets.Dataset, or sequence of mappings
        As ``window.get_input_data()`` gives them; of the future only the known columns are read.

    Returns
    -------
    Panel
        Steps that are missing are missing values; rows of the future hold known columns alone.
    """
    table = _long(task, past, [*task.target_columns, *task.past_dynamic_columns, *task.known_dynamic_columns])
    if future is not None and task.known_dynamic_columns:
        import pandas as pd

        table = pd.concat([table, _long(task, future, task.known_dynamic_columns)], ignore_index=True)
    return Panel.from_frame(
        table, id=task.id_column, time=task.timestamp_column, target=task.target_columns,
        past=task.past_dynamic_columns, future=task.known_dynamic_columns, static=task.static_columns,
        fill_gaps=True, missing="mask",
    )  # fmt: skip


def fev_dataset(panel: Panel, path: str | PathLike[str]) -> Json:
    """Write a panel as a data set that ``fev.Task(dataset_path=...)`` reads, and return the task's columns.

    Parameters
    ----------
    panel : Panel
    path : path
        Ends in ``.parquet``; one row per series, with a list for every column.

    Returns
    -------
    dict
        Arguments of ``fev.Task`` that say which column is what.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> import foretide as ft
    >>> file = Path(mkdtemp(), "hourly.parquet")
    >>> ft.interop.fev_dataset(ft.synthetic.hourly(T=48).panel, file)["target"]
    'x1'
    """
    if Path(path).suffix != ".parquet":
        raise DataError(f"fev reads Parquet files; got {str(path)!r}. Type: fev_dataset(panel, 'data.parquet')")
    import narwhals as nw

    frame = nw.from_native(panel.to_frame(), eager_only=True).to_pandas()
    id_column, time = panel.names.id, panel.names.time
    if id_column not in frame:
        frame.insert(0, id_column, "series")
    static = list(panel.static.names)
    lists = [column for column in frame if column not in (id_column, *static)]
    groups = frame.groupby(id_column, sort=False)
    rows = groups[lists].agg(list).join(groups[static].first()) if static else groups[lists].agg(list)
    rows.reset_index().to_parquet(path)
    return {
        "dataset_path": str(path), "id_column": id_column, "timestamp_column": time,
        "target": panel.targets[0] if len(panel.targets) == 1 else list(panel.targets),
        "past_dynamic_columns": list(panel.past), "known_dynamic_columns": list(panel.future), "static_columns": static,
    }  # fmt: skip


def _window(task: FevTask, model: Member, past: Any, future: Any) -> dict[str, list[dict[str, list[float]]]]:
    panel = fev_panel(task, past, future)
    made = model.fresh(h=task.horizon) if isinstance(model, Forecaster) else unfitted(model, task.horizon)
    levels = sorted(task.quantile_levels)
    metric = task.eval_metric if isinstance(task.eval_metric, str) else str(task.eval_metric["name"])
    squared = metric in SQUARED
    # fev counts its horizon from the last row of a series, observed or not; rows of the future lie behind it.
    ahead = task.horizon if future is not None and task.known_dynamic_columns else 0
    windows = Windows(np.arange(panel.n_entities), panel.length - 1 - ahead)
    quantiles = sorted({*levels, *(() if squared else (0.5,))})
    forecast = made.fit(panel).predict(panel, windows, levels=(), quantiles=quantiles)
    point = forecast.mean if squared else forecast.quantile(0.5)
    asked = {"predictions": point, **{str(q): forecast.quantile(q) for q in levels}}
    where = {name: k for k, name in enumerate(panel.ids)}
    order = [where[str(name)] for name in _frame(past)[task.id_column]]
    return {
        target: [{name: values[k, :, d].astype(float).tolist() for name, values in asked.items()} for k in order]
        for d, target in enumerate(task.target_columns)
    }


def _frame(rows: Any) -> pd.DataFrame:
    """One row per series, with lists."""
    import pandas as pd

    if isinstance(rows, pd.DataFrame):
        return rows
    return rows.to_pandas() if hasattr(rows, "to_pandas") else pd.DataFrame(list(rows))


def _long(task: FevTask, rows: Any, columns: Sequence[str]) -> pd.DataFrame:
    """One row per series and time."""
    import pandas as pd

    wide = _frame(rows)
    length = wide[task.timestamp_column].map(len).to_numpy()
    alone = {c: np.repeat(wide[c].to_numpy(), length) for c in (task.id_column, *task.static_columns)}
    alone[task.id_column] = alone[task.id_column].astype(str)
    lists = {c: np.concatenate([np.asarray(cell) for cell in wide[c]]) for c in (task.timestamp_column, *columns)}
    table = pd.DataFrame({**alone, **lists})
    table[task.timestamp_column] = pd.to_datetime(table[task.timestamp_column])
    return table
