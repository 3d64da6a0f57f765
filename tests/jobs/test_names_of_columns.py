"""Columns of ids and times may be called as a table of results calls its own, or are refused before work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.errors import ConfigError
from foretide.jobs.reporting import write_report


def table(path: Path, name: str) -> Path:
    days = pd.date_range("2024-01-01", periods=150)
    one = [pd.DataFrame({name: s, "ds": days, "y": np.arange(150) % 7 + k}) for k, s in enumerate("ab")]
    pd.concat(one).to_csv(path / "t.csv", index=False)
    return path / "t.csv"


@pytest.mark.parametrize("name", ["model", "metric", "value", "key", "scope"])
def test_names_of_tables_of_results(tmp_path: Path, name: str) -> None:
    data = {"path": str(table(tmp_path, name)), "id": name}
    two: dict[str, object] = {"models": ["SeasonalNaive", "Drift"], "baselines": False}
    folder = ft.run({"data": data, "h": 3, **two}, output=tmp_path / "run")
    assert write_report(folder.path).is_file()
    lines = pd.read_csv(folder.path / "metrics_by_series.csv")
    assert lines.columns.is_unique
    assert set(lines.iloc[:, 1]) == {"a", "b"}


@pytest.mark.parametrize("name", ["cutoff", "h_step"])
def test_names_that_forecasts_use_are_refused(tmp_path: Path, name: str) -> None:
    data = {"path": str(table(tmp_path, name)), "id": name}
    with pytest.raises(
        ConfigError, match=rf"Rename it: frame = frame.rename\(columns={{'{name}': '{name}_of_data'}}\)"
    ):
        ft.run({"data": data, "h": 3, "models": ["SeasonalNaive"]}, output=tmp_path / "run")
