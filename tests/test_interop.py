"""Tasks of fev: shapes as fev 0.10 documents them, on a small copy of its classes; a real run is in docs/fev.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import make_panel

import foretide as ft
from foretide.errors import DataError

H = 7


@dataclass
class Window:
    past: list[dict[str, Any]]
    future: list[dict[str, Any]]

    def get_input_data(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        return self.past, self.future


@dataclass
class Task:
    """What ``fev.Task`` has of it."""

    windows: list[Window]
    target: str | list[str] = "target"
    eval_metric: str | dict[str, Any] = "MASE"
    quantile_levels: list[float] = field(default_factory=lambda: [0.1, 0.9])
    known_dynamic_columns: list[str] = field(default_factory=list)
    past_dynamic_columns: list[str] = field(default_factory=list)
    static_columns: list[str] = field(default_factory=list)
    horizon: int = H
    id_column: str = "id"
    timestamp_column: str = "timestamp"

    @property
    def target_columns(self) -> list[str]:
        return [self.target] if isinstance(self.target, str) else self.target

    def iter_windows(self) -> list[Window]:
        return self.windows


def rows(lengths: dict[str, int], *, known: bool = False, cut: int = 0) -> Window:
    """Series of a week's wave at levels of their own; the last ``H + cut`` rows are the future."""
    past, future = [], []
    for name, n in lengths.items():
        times = list(pd.date_range("2024-01-01", periods=n))
        y = 10.0 * len(name) + np.arange(n) % 7
        f = np.cos(np.arange(n))
        end = n - H - cut
        own = {"f": list(f[:end])} if known else {}
        past.append({"id": name, "timestamp": times[:end], "target": list(y[:end]), "size": len(name), **own})
        future.append(
            {
                "id": name,
                "timestamp": times[end : end + H],
                "size": len(name),
                **({"f": list(f[end : end + H])} if known else {}),
            }
        )
    return Window(past, future)


def test_every_window_is_forecast_in_the_order_of_its_series() -> None:
    lengths = {"bbb": 60, "a": 50, "cc": 75}
    task = Task([rows(lengths, cut=7), rows(lengths)])
    found = ft.interop.fev_predict(task, {"SeasonalNaive": {"season": 7}})
    assert [list(window) for window in found] == [["target"], ["target"]]
    for window, made in zip(task.windows, found, strict=True):
        for past, own in zip(window.past, made["target"], strict=True):
            assert list(own) == ["predictions", "0.1", "0.9"]
            assert own["predictions"] == past["target"][-7:]
            assert all(len(values) == H and np.isfinite(values).all() for values in own.values())


def test_the_horizon_begins_after_the_last_row_though_nothing_was_observed_there() -> None:
    window = rows({"a": 60, "b": 60})
    window.past[1]["target"][-3:] = [np.nan] * 3
    (found,) = ft.interop.fev_predict(Task([window]), ft.SeasonalNaive(h=3, season=7))
    assert found["target"][1]["predictions"] == [float(10 + (60 - H + k) % 7) for k in range(H)]


def test_known_past_and_static_columns_get_their_roles() -> None:
    task = Task([rows({"a": 60, "bb": 50}, known=True)], known_dynamic_columns=["f"], static_columns=["size"])
    past, future = task.windows[0].get_input_data()
    panel = ft.interop.fev_panel(task, past, future)
    assert (panel.targets, panel.future, panel.static.names) == (("target",), ("f",), ("size",))
    assert panel.length.tolist() == [60, 50]
    assert panel.observed.tolist() == [53, 43]
    (found,) = ft.interop.fev_predict(task, {"Ridge": {"input_size": 7, "known": "on"}})
    assert np.isfinite([own["predictions"] for own in found["target"]]).all()


def test_several_targets_and_a_metric_that_squares_errors() -> None:
    window = rows({"a": 70, "b": 60})
    rng = np.random.default_rng(0)
    for row in window.past:
        row["target"] = list(rng.gamma(0.5, 2.0, len(row["target"])))
        row["other"] = [1.0 + value for value in row["target"]]
    means, medians = (
        ft.interop.fev_predict(Task([window], target=["target", "other"], eval_metric=metric), "Analogues")[0]
        for metric in ({"name": "RMSE"}, "MASE")
    )
    assert list(means) == ["target", "other"]
    assert np.mean(means["other"][0]["predictions"]) > np.mean(medians["other"][0]["predictions"])


def test_a_panel_becomes_a_data_set_that_says_its_columns(tmp_path: Path) -> None:
    panel = make_panel((40, 30), targets=2, past=1, future=1)
    columns = ft.interop.fev_dataset(panel, tmp_path / "data.parquet")
    assert columns["target"] == ["y0", "y1"]
    assert (columns["past_dynamic_columns"], columns["known_dynamic_columns"]) == (["p0"], ["f0"])
    table = pd.read_parquet(columns.pop("dataset_path"))
    task = Task([Window(table.to_dict("records"), [])], **columns)
    again = ft.interop.fev_panel(task, table)
    np.testing.assert_array_equal(again.values, panel.values)
    assert again.ids == panel.ids
    with pytest.raises(DataError, match=r"fev reads Parquet files; got 'data\.csv'"):
        ft.interop.fev_dataset(panel, "data.csv")
