"""A table that adjoins the one of a run or fit is forecast as the whole table is, by another process too."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import foretide as ft
from foretide.cli.app import app
from foretide.jobs import fit_model

H = 7
END = pd.Timestamp("2023-10-22")
MODELS = [{"Ridge": {"input_size": 28}}, {"SeasonalES": {}}, {"LSTM": {"input_size": 28, "hidden": 8, "epochs": 1}}]


def rows() -> pd.DataFrame:
    rng, days, parts = np.random.default_rng(0), pd.date_range("2023-01-02", END + pd.Timedelta(days=14)), []
    for shop in (1, 2, 10):
        promo = (rng.random(len(days)) < 0.1).astype(int)
        y = 40 + shop + 15 * np.sin(2 * np.pi * np.arange(len(days)) / 7) + 8 * promo + rng.normal(size=len(days))
        parts.append(pd.DataFrame({"shop": shop, "day": days, "y": y, "promo": promo}))
    return pd.concat(parts, ignore_index=True)


def until(last: pd.Timestamp, since: pd.Timestamp | None = None) -> pd.DataFrame:
    """Rows with the promotions of the ``H`` days after the last one."""
    frame = rows()
    frame.loc[frame.day > last, "y"] = np.nan
    return frame[(frame.day <= last + pd.Timedelta(days=H)) & (frame.day > (since or frame.day.min()))]


@pytest.mark.parametrize("how", ["run", "fit"])
def test_next_weeks_table_is_forecast_as_the_whole_table_is(how: str, tmp_path: Path) -> None:
    later = END + pd.Timedelta(days=7)
    tables = {"first": until(END), "whole": until(later), "week": until(later, END), "ahead": until(END, END)}
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    data = {"path": str(tmp_path / "first.csv"), "id": "shop", "time": "day", "future": ["promo"]}
    config: dict[str, Any] = {"name": "weeks", "data": data, "h": H, "models": MODELS}
    names = [name for model in MODELS for name in model]
    if how == "run":
        ft.run(config, output=tmp_path / "made")
    else:
        for name in names:
            fit_model(config, tmp_path / name, model=name)

    def forecast(name: str, table: str, *, apart: bool = False) -> np.ndarray:
        folder, out = tmp_path / ("made" if how == "run" else name), tmp_path / f"{name}-{table}-out.csv"
        words = ["predict", str(folder), str(tmp_path / f"{table}.csv"), "--model", name, "--out", str(out)]
        if apart:
            subprocess.run([sys.executable, "-m", "foretide", *words], check=True, capture_output=True)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the table of the weeks ahead holds no sales
                done = CliRunner().invoke(app, words)
            assert done.exit_code == 0, done.output
        return pd.read_csv(out)[name].to_numpy()

    apart = {"run": "LSTM", "fit": "Ridge"}[how]
    for name in names:
        np.testing.assert_allclose(forecast(name, "week", apart=name == apart), forecast(name, "whole"), rtol=1e-5)
    np.testing.assert_allclose(forecast("Ridge", "ahead"), forecast("Ridge", "first"), rtol=1e-5)
