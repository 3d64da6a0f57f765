"""What training added: planted cases where it helps and where it does not; a verdict that credits nobody wrongly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.data.panel import Panel
from foretide.evaluation.cards.scorecard import Scorecard
from foretide.evaluation.compare.pairs import compare_pair
from foretide.forecasters.forecast import Forecast

H, N = 1, 40
QUICK: dict[str, Any] = {"input_size": 6, "device": "cpu", "seasons": (), "calendar": None}


def series(values: np.ndarray) -> Panel:
    frame = pd.DataFrame(
        {"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=len(values), freq="h"), "y": values}
    )
    return ft.Panel.from_frame(frame)


def nonlinear(n: int = 600) -> Panel:
    """The tent map: its autocorrelations are zero, so that no linear map of the lags says anything of what comes."""
    rng, x, out = np.random.default_rng(0), 0.37, []
    for _ in range(n):
        x = min(max(1 - abs(2 * x - 1) * 0.999, 1e-3), 1 - 1e-3)
        out.append(x)
    return series(np.array(out) + 0.01 * rng.standard_normal(n))


def linear(n: int = 400) -> Panel:
    rng, x, out = np.random.default_rng(1), 0.0, []
    for _ in range(n):
        x = 0.8 * x + rng.standard_normal()
        out.append(x + 10)
    return series(np.array(out))


def test_where_training_helps_that_is_said() -> None:
    model = ft.LSTM(h=H, hidden=16, epochs=40, lr=0.01, patience=99, **QUICK)
    card = ft.backtest(model, nonlinear(), n_windows=120, season=1)
    gain = card.trained["LSTM"]
    assert gain.gain > 0.5
    assert gain.p_value < 0.001
    pair = compare_pair(card, "LSTM", "LSTM-start")
    assert gain.p_value == pair.p_value
    assert "Training took LSTM" in card.verdict()
    assert "below its start (p < 0.001: more than chance)." in card.verdict()
    assert card.best_model == "LSTM"


def test_where_it_does_not_the_words_say_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    # What is within chance on validation would be left out by the training itself.
    monkeypatch.setattr("foretide.training.network_training.NetworkLearner.gained", True)
    model = ft.LSTM(h=H, hidden=8, epochs=6, lr=0.01, patience=None, **QUICK)
    card = ft.backtest(model, linear(), n_windows=N, season=1)
    gain = card.trained["LSTM"]
    assert abs(gain.gain) < 0.1
    assert gain.p_value > 0.05
    verdict = card.verdict()
    assert "its start (p = 0." in verdict
    assert ": within chance)." in verdict
    assert "closed-form start alone" in verdict or card.best_model == "LSTM-start" or "does not beat" in verdict


# ---------------------------------------------------------------- sentences, on forecasts made by hand
def made(errors: dict[str, np.ndarray], *, starts: dict[str, str] | None = None, counts: bool = False) -> Scorecard:
    """A card of models that err by so much at each cutoff; ``Naive`` is the baseline."""
    n = len(next(iter(errors.values())))
    y = np.arange(30.0 + n) % 5 if counts else 10 + np.sin(np.arange(30.0 + n))
    panel = series(y)
    at = panel.grid.output_times(list(range(29, 29 + n)))
    naive = ft.Persistence(h=1, alias="Naive").fit(panel, until=at[0]).predict(panel, at)
    truth = naive.truth(panel)
    forecasts = [
        Forecast(name, panel, naive.windows, truth + by[:, None, None], baseline=name == "Naive")
        for name, by in errors.items()
    ]
    return ft.score(forecasts, panel, season=1, starts=starts)


RNG = np.random.default_rng(3)
NOISE = RNG.standard_normal(30)
STARTS = {"Net": "Net-start"}


def test_the_start_is_named_beside_a_lead() -> None:
    card = made({"Naive": 2 * NOISE, "Net-start": 1.01 * NOISE, "Net": 1.0 * NOISE}, starts=STARTS)
    assert card.verdict().startswith(
        "Net beats the best simple baseline (Naive) by 50 % in RMSE; its closed-form start alone does by 49 %."
    )
    assert "Training took Net 1.0 % below its start" in card.verdict()
    behind = made({"Naive": 2 * NOISE, "Net-start": 3 * NOISE, "Net": NOISE}, starts=STARTS)
    assert "in RMSE; its closed-form start alone does not." in behind.verdict()


def test_a_start_that_is_best_is_what_the_verdict_speaks_of() -> None:
    card = made({"Naive": 2 * NOISE, "Net-start": NOISE, "Net": 1.2 * NOISE}, starts=STARTS)
    assert card.best_model == "Net-start"
    assert card.verdict().startswith("Net-start, the closed form at which Net begins, beats the best simple baseline")
    assert "Training took Net 20 % above its start" in card.verdict()
    both = made({"Naive": 2 * NOISE, "S": NOISE, "A": 1.2 * NOISE, "B": NOISE}, starts={"A": "S", "B": "S"})
    assert both.verdict().startswith("S, the closed form at which A and B begin, beats")
    assert "Training left B at its start." in both.verdict()
    worse = made({"Naive": NOISE, "Net-start": 2 * NOISE, "Net": 3 * NOISE}, starts=STARTS)
    assert "Net-start, the closed form at which Net begins, does not beat the best simple baseline" in worse.verdict()


def test_too_few_cutoffs_are_said() -> None:
    few = NOISE[:3]
    card = made({"Naive": 2 * few, "Net-start": 1.1 * few, "Net": few}, starts=STARTS)
    assert "below its start (too few cutoffs to test)." in card.verdict()


def test_a_start_without_error_or_figure_is_passed_over() -> None:
    card = made({"Naive": 2 * NOISE, "Net-start": 0 * NOISE, "Net": NOISE}, starts=STARTS)
    assert card.trained == {}
    assert np.isnan(card.leaderboard().set_index("model")["skill_vs_start"]["Net"])


def with_quantiles(forecast: Forecast, spread: float) -> Forecast:
    levels = tuple(k / 10 for k in range(1, 10))
    values = forecast.mean[..., None] + spread * (np.array(levels) - 0.5)
    return Forecast(forecast.model, forecast.panel, forecast.windows, forecast.mean, (80.0,), levels,
                    np.sort(values, axis=-1), baseline=forecast.baseline)  # fmt: skip


@pytest.mark.parametrize("whose", [["Naive"], ["Naive", "Net-start", "Net"], []])
def test_no_model_loses_in_a_score_that_it_does_not_have(whose: list[str]) -> None:
    panel = series(np.random.default_rng(0).poisson(2.0, 70).astype(float))
    at = panel.grid.output_times(list(range(39, 69)))
    first = ft.Persistence(h=1, alias="Naive").fit(panel, until=at[0]).predict(panel, at)
    truth = first.truth(panel)
    by = {"Naive": 2.0, "Net-start": 1.01, "Net": 1.0, "Bare": 1.5}
    forecasts = [
        Forecast(name, panel, first.windows, truth + far * NOISE[:, None, None], baseline=name == "Naive")
        for name, far in by.items()
    ]
    forecasts = [with_quantiles(f, 3.0) if f.model in whose else f for f in forecasts]
    verdict = ft.score(forecasts, panel, season=1, starts=STARTS).verdict()
    if not whose:
        assert "quantile loss" not in verdict
    elif "Net" not in whose:
        assert "of the baselines. Net and Bare have no quantiles for it." in verdict
        assert "In weighted quantile loss Naive is best (" in verdict
        assert "beat Naive" not in verdict
    else:
        assert "Bare has no quantiles for it." in verdict
        assert "its closed-form start alone does by" in verdict
        assert "and what training added is" in verdict


def test_a_model_without_figure_in_the_main_error_is_not_called_beaten() -> None:
    card = made({"Naive": NOISE, "Net": np.full(30, np.inf)})
    assert card.verdict().startswith("Naive is the best of the baselines")
    assert "Net has no RMSE: not all forecasts are finite." in card.verdict()
