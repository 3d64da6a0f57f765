"""A card of many series: its JSON file stays short, and everything comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.data.parquet import without_long_lists


def test_what_each_series_has_comes_back_and_is_not_in_the_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 25
    monkeypatch.setattr(without_long_lists, "__defaults__", (n - 5,))  # what is long otherwise takes seconds
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "unique_id": np.repeat([f"s{k:05d}" for k in range(n)], 30), "y": rng.poisson(20, 30 * n).astype(float),
        "ds": np.tile(pd.date_range("2024-01-01", periods=30), n),
    })  # fmt: skip
    folder = tmp_path / "card"
    card = ft.backtest(
        "SeasonalES", ft.Panel.from_frame(frame), h=2, n_windows=2, step=3, season=7, baselines=False, folder=folder
    )
    text = (folder / "scorecard.json").read_text()
    assert "s00017" not in text
    assert len(text) < 10_000
    assert all("s00017" not in part.read_text() for part in folder.rglob("folds/*.json"))
    for back in (
        ft.Scorecard.load(folder),
        ft.backtest(
            "SeasonalES", ft.Panel.from_frame(frame), h=2, n_windows=2, step=3, season=7, baselines=False, folder=folder
        ),
    ):
        pd.testing.assert_frame_equal(back.leaderboard(), card.leaderboard())
        pd.testing.assert_frame_equal(back.scores("mase", by="unique_id"), card.scores("mase", by="unique_id"))
        assert back.runs[0].account == card.runs[0].account
        assert back.panel.ids == card.panel.ids
        assert len(set(card.runs[0].account["choices"]["series"])) == n
