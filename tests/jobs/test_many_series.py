"""Folders and pages of many series: what is written is whole, and a page is handed what it has room for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.evaluation.cards import large
from foretide.jobs import contents, store
from foretide.jobs.folder import RunFolder
from foretide.jobs.judging import run_backtest
from foretide.report.run import errors

N, DRAWN, POINTS = 24, 5, 22


def test_a_page_of_many_series_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "POINTS_AT_ONCE", 50)
    monkeypatch.setattr(contents, "MOST_DRAWN", DRAWN)
    monkeypatch.setattr(errors, "MOST_SERIES", POINTS)
    rng = np.random.default_rng(0)
    pd.DataFrame({
        "unique_id": np.repeat([f"s{k:02d}" for k in range(N)], 40), "y": rng.normal(20, 3, 40 * N),
        "ds": np.tile(pd.date_range("2024-01-01", periods=40), N),
    }).to_csv(tmp_path / "table.csv", index=False)  # fmt: skip
    config = {
        "data": {"path": str(tmp_path / "table.csv")}, "h": 3, "season": 7, "models": ["SeasonalES"],
        "backtest": {"n_windows": 3, "step": 3},
    }  # fmt: skip
    folder = run_backtest(config, output=tmp_path / "out")

    card = folder.need(store.CARD)
    assert folder.need(store.CARD) is card  # it was made here, and is not read again
    back = RunFolder(folder.path).need(store.CARD)
    assert back is not card
    pd.testing.assert_frame_equal(back.leaderboard(), card.leaderboard())
    kept = pd.read_parquet(folder.path / store.FORECASTS.file)
    pd.testing.assert_frame_equal(kept, back.to_frame(all_points=True))
    assert len(kept) == N * 3 * 3

    page = (folder.path / store.REPORT.file).read_text(encoding="utf-8")
    found = re.search(r'id="report-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data = json.loads(found.group(1))
    assert len(data["forecasts"]["series"]) == DRAWN
    assert f"{DRAWN} of {N} series, spread evenly" in page
    lines = [line for line in data["charts"]["chart-skill"]["data"] if len(line["x"]) > 2]
    assert lines
    assert all(len(line["x"]) <= POINTS for line in lines)
    assert len(ft.Scorecard.load(folder.path).scores("rmse", by="series")) == N
