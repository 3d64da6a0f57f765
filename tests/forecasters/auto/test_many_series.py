"""Auto on many series: judged on some of them, fitted on all, and the time of that is foreseen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.forecasters.auto import judge as judging
from foretide.forecasters.auto.judge import Judge, predicted_seconds

H, N, SOME = 4, 13, 5


def table(n: int = N, rows: int = 60) -> ft.Panel:
    rng, days = np.random.default_rng(0), np.arange(rows)
    y = 20 + 5 * np.sin(2 * np.pi * days / 7) + rng.normal(0, 1, (n, rows))
    return ft.Panel.from_frame(pd.DataFrame({
        "unique_id": np.repeat([f"s{k:02d}" for k in range(n)], rows), "y": y.reshape(-1),
        "ds": np.tile(pd.date_range("2024-01-01", periods=rows), n),
    }))  # fmt: skip


def test_some_series_are_judged_on_and_all_are_fitted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(judging, "MOST_SERIES", SOME)
    monkeypatch.setattr("foretide.forecasters.auto.auto.MOST_SERIES", SOME)
    panel = table()
    model = ft.Auto(H, ["SeasonalNaive", "SeasonalES"], season=7).fit(panel)
    assert model.result_ is not None
    assert model.result_.origins == 3 * SOME
    assert set(model.trials_["SeasonalES"].panel.ids) == {"s00", "s03", "s06", "s09", "s12"}
    forecast = model.predict(panel)
    assert np.isfinite(forecast.mean).all()
    assert forecast.mean.shape == (N, H, 1)
    assert any(note.text == f"candidates were judged on {SOME} of {N} series, spread evenly" for note in forecast.notes)
    model.save(tmp_path / "auto")
    np.testing.assert_array_equal(ft.load(tmp_path / "auto").predict(panel).mean, forecast.mean)
    paths = forecast.sample(20, seed=0)
    assert np.isfinite(paths).all()


def test_a_fit_on_all_takes_longer_than_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    every = Judge.of(table(), H, 7)
    monkeypatch.setattr(judging, "MOST_SERIES", SOME)
    some = Judge.of(table(), H, 7)
    assert every is not None
    assert some is not None
    assert (every.share, some.share) == (1.0, SOME / N)
    assert every.again(ft.SeasonalNaive(H)) == 1
    assert some.again(ft.SeasonalNaive(H)) == pytest.approx(N / SOME)
    assert 1 < some.again(ft.LSTM(H)) < N / SOME


@pytest.mark.parametrize("growth", [0.0, 1e-6])
def test_what_seems_too_long_from_a_few_is_measured_on_more(growth: float, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Judge.of(table(700, 40), H, 7)
    assert judge is not None
    rows, asked = int(judge.known.length.sum()), list[int]()

    def seconds(part: ft.Panel, *_: object, **__: object) -> float:
        asked.append(part.n_entities)
        return 0.01 + growth * float(part.length.sum())

    monkeypatch.setattr(judging, "_seconds_of", seconds)
    assert predicted_seconds(judge, (ft.Linear(H), False, 4.0, 20.0)) == pytest.approx(0.01 + growth * rows)
    assert asked == [1, 4, 64]
    for enough_or_too_little in (1e6, 1.0):  # there is time for what few series say; or not even to measure it again
        asked.clear()
        assert predicted_seconds(judge, (ft.Linear(H), False, enough_or_too_little, 20.0)) > 0.4
        assert asked == [1, 4]
