"""Closed-form starts in backtests: which rows there are, what they are called, and that they can be left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import make_panel, times

import foretide as ft
from foretide.data.panel import Panel
from foretide.evaluation.cards.board import kind_of

H = 4
QUICK: dict[str, Any] = {"input_size": 14, "hidden": 8, "epochs": 1, "device": "cpu"}
FOLDS: dict[str, Any] = {"n_windows": 3, "step": 5, "baselines": False}


@pytest.fixture(scope="module")
def panel() -> Panel:
    return make_panel((110, 100), first=(0, 4))


def test_each_network_has_its_start_before_it(panel: Panel, tmp_path: Path) -> None:
    models = ["SeasonalES", ft.LSTM(h=H, **QUICK), ft.WithIntervals(ft.LSTM(h=H, **QUICK), alias="wide")]
    card = ft.backtest(models, panel, h=H, **FOLDS)
    assert card.models == ("SeasonalES", "LSTM-start", "LSTM", "wide-start", "wide")
    assert card.starts == {"LSTM": "LSTM-start", "wide": "wide-start"}
    assert [kind_of(card, name) for name in card.models] == ["baseline", "start", "model", "start", "model"]
    run = card.run_of("LSTM-start")
    assert run is not None
    assert (run.start_of, run.asked, run.baseline, run.account) == (("LSTM",), False, False, {})
    board = card.leaderboard().set_index("model")
    own, start = (card.value(name) for name in ("LSTM", "LSTM-start"))
    assert board["skill_vs_start"]["LSTM"] == pytest.approx(1 - own / start)
    assert np.isnan(board["skill_vs_start"]["SeasonalES"])
    assert board["kind"]["LSTM-start"] == "start"
    card.save(tmp_path)
    again = ft.Scorecard.load(tmp_path)
    assert (again.starts, again.verdict()) == (card.starts, card.verdict())


def test_they_can_be_left_out_or_named(panel: Panel) -> None:
    models = [ft.LSTM(h=H, **QUICK), ft.LSTM(h=H, **{**QUICK, "hidden": 4}, alias="small")]
    assert ft.backtest(models, panel, **FOLDS, starts=False).models == ("LSTM", "small")
    card = ft.backtest(models, panel, **FOLDS, starts=["small"])
    assert card.models == ("LSTM", "small-start", "small")
    without = ft.backtest(models, panel, **FOLDS, starts=False)
    assert "skill_vs_start" not in without.leaderboard()
    assert without.value("small") == card.value("small")


def test_seeds_share_one_and_a_taken_name_is_left_alone(panel: Panel) -> None:
    seeds = [ft.LSTM(h=H, **QUICK, seed=seed, alias=f"LSTM-seed{seed}") for seed in (1, 2)]
    card = ft.backtest(seeds, panel, **FOLDS)
    assert card.models == ("LSTM-start", "LSTM-seed1", "LSTM-seed2")
    assert set(card.starts.values()) == {"LSTM-start"}
    taken = [ft.LSTM(h=H, **QUICK), ft.SeasonalNaive(h=H, alias="lstm-START")]
    assert ft.backtest(taken, panel, **FOLDS).starts == {"LSTM": "LSTM-start-start"}


def test_a_network_that_came_fitted_and_one_that_is_no_more_than_its_start_have_none(panel: Panel) -> None:
    came = ft.LSTM(h=H, **QUICK).fit(panel, until=times(panel, [80])[0])
    assert ft.backtest([came], panel, h=H, n_windows=2, baselines=False).starts == {}
    assert ft.backtest([came], panel, h=H, n_windows=2, refit=True, baselines=False).starts == {"LSTM": "LSTM-start"}
    assert ft.backtest([ft.LSTM(h=H, **{**QUICK, "epochs": 0})], panel, **FOLDS).starts == {}


def test_a_start_that_cannot_be_fitted_takes_nothing_away(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = ft.LSTM._fit

    def fails(self: ft.LSTM, part: Any) -> None:
        if not self.training.epochs:
            raise ft.errors.DataError("not today")
        fit(self, part)

    monkeypatch.setattr(ft.LSTM, "_fit", fails)
    card = ft.backtest([ft.LSTM(h=H, **QUICK)], panel, **FOLDS)
    assert card.models == ("LSTM",)
    assert card.starts == {}
    assert any("LSTM-start left out: not today" in note for note in card.notes)
