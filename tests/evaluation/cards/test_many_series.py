"""A card of many series: its JSON file stays short, and everything comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.data.parquet import without_long_lists
from foretide.data.scratch import mapped_file
from foretide.evaluation.cards import large


def _panel(n: int) -> ft.Panel:
    rng = np.random.default_rng(0)
    return ft.Panel.from_frame(pd.DataFrame({
        "unique_id": np.repeat([f"s{k:05d}" for k in range(n)], 30), "y": rng.poisson(20, 30 * n).astype(float),
        "ds": np.tile(pd.date_range("2024-01-01", periods=30), n),
    }))  # fmt: skip


def test_what_each_series_has_comes_back_and_is_not_in_the_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 25
    monkeypatch.setattr(without_long_lists, "__defaults__", (n - 5,))  # what is long otherwise takes seconds
    folder = tmp_path / "card"
    plan = {"h": 2, "n_windows": 2, "step": 3, "season": 7, "baselines": False, "folder": folder}
    card = ft.backtest("SeasonalES", _panel(n), **plan)
    text = (folder / "scorecard.json").read_text()
    assert "s00017" not in text
    assert len(text) < 10_000
    assert all("s00017" not in part.read_text() for part in folder.rglob("folds/*.json"))
    for back in (ft.Scorecard.load(folder), ft.backtest("SeasonalES", _panel(n), **plan)):
        pd.testing.assert_frame_equal(back.leaderboard(), card.leaderboard())
        pd.testing.assert_frame_equal(back.scores("mase", by="unique_id"), card.scores("mase", by="unique_id"))
        assert back.runs[0].account == card.runs[0].account
        assert back.panel.ids == card.panel.ids
        assert len(set(card.runs[0].account["choices"]["series"])) == n


@pytest.mark.parametrize("kept", [False, True])
def test_large_cards_lie_in_files_and_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, kept: bool
) -> None:
    plan = {"h": 3, "n_windows": 3, "step": 2, "season": 7}
    small = ft.backtest("SeasonalES", _panel(9), **plan)
    small.save(tmp_path / "small", page=False)
    monkeypatch.setattr(large, "IN_MEMORY", 0)
    monkeypatch.setattr(large, "POINTS_AT_ONCE", 8)
    folder = {"folder": tmp_path / "work"} if kept else {}
    card = ft.backtest("SeasonalES", _panel(9), **plan, **folder)
    card.save(tmp_path / "large", page=False)
    again = ft.Scorecard.load(tmp_path / "small")
    assert all(mapped_file(q.values) is None for q in small.distributions.quantiles.values())
    columns = ["model", *small.metrics]
    for one in (card, ft.Scorecard.load(tmp_path / "large"), again):
        held = one.distributions.quantiles
        assert held.keys() == small.distributions.quantiles.keys()
        assert all(mapped_file(q.values) is not None for q in held.values())
        for name, own in held.items():
            np.testing.assert_array_equal(own.values, small.distributions.quantiles[name].values)
        pd.testing.assert_frame_equal(one.leaderboard()[columns], small.leaderboard()[columns])
        pd.testing.assert_frame_equal(one.figures(), small.figures())
        pd.testing.assert_frame_equal(one.to_frame(), small.to_frame())
    files = [pd.read_parquet(tmp_path / name / "scorecard.parquet") for name in ("small", "large")]
    pd.testing.assert_frame_equal(*files)


def test_figures_of_points_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    card = ft.backtest("SeasonalES", _panel(9), h=3, n_windows=3, step=2, season=7)
    monkeypatch.setattr("foretide.evaluation.cards.figures.HELD", 2 * card.truth.nbytes)
    held = [len(card._points) for model in card.models for m in card.metrics if card.value(model, m) is not None]
    assert max(held) == 2
