"""Steps of parts of a second: no time is cut on the way through files, cutoffs, models, cards and folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import foretide as ft

FREQS = ["250us", "1500ms"]
SEASON, LENGTH, H = 10, 120, 3


def table(freq: str) -> pd.DataFrame:
    times = pd.date_range("2024-01-01 00:00:00.3", periods=LENGTH, freq=freq)
    return pd.DataFrame({"unique_id": "a", "ds": times, "y": 5 + np.sin(np.arange(LENGTH) * 2 * np.pi / SEASON)})


@pytest.mark.parametrize("freq", FREQS)
def test_times_come_back_from_files_models_and_cards(freq: str, tmp_path: Path) -> None:
    frame = table(freq)
    times = frame["ds"]
    ahead = pd.date_range(times.iloc[-1], periods=H + 1, freq=freq)[1:]
    frame.to_csv(tmp_path / "x.csv", index=False)
    for panel in (ft.Panel.from_frame(frame), ft.Panel.read(tmp_path / "x.csv")):
        assert panel.to_frame()["ds"].tolist() == times.tolist()
    model = ft.SeasonalNaive(h=H, season=SEASON).fit(panel)
    expected = model.predict(panel).to_frame()
    assert expected["ds"].tolist() == ahead.tolist()
    model.save(tmp_path / "model")
    pd.testing.assert_frame_equal(ft.load(tmp_path / "model").predict(frame).to_frame(), expected)
    earlier = model.predict(panel, cutoffs=[times[50], str(times[70])]).to_frame()
    assert earlier["ds"].tolist() == [*times[51 : 51 + H], *times[71 : 71 + H]]
    parts = ft.split_at(panel, train_until=times[60], val_until=times[90])
    assert parts.sizes == (61, 30, 29)
    unfitted = ft.SeasonalNaive(h=H, season=SEASON)
    card = ft.backtest(unfitted, panel, h=H, n_windows=2, start=times[80], baselines=False)
    card.save(tmp_path / "card")
    held = card.to_frame()
    assert held["ds"].tolist() == [*times[81 : 81 + H], *times[84 : 84 + H]]
    assert sorted(set(held["cutoff"])) == [times[80], times[83]]
    pd.testing.assert_frame_equal(ft.Scorecard.load(tmp_path / "card").to_frame(), held)


def test_a_run_keeps_the_parts_of_seconds(tmp_path: Path) -> None:
    freq = FREQS[0]
    frame = table(freq)
    times = frame["ds"]
    frame.to_csv(tmp_path / "x.csv", index=False)
    data = {"path": str(tmp_path / "x.csv"), "id": "unique_id", "first": str(times[10])}
    config = {
        "data": data, "h": H, "models": [{"SeasonalNaive": {"season": SEASON}}], "baselines": False, "stride": 9,
        "split": {"train_until": str(times[80]), "val_until": str(times[90])},
    }  # fmt: skip
    run = ft.run(config, output=tmp_path / "run").path
    ahead = pd.date_range(times.iloc[-1], periods=H + 1, freq=freq)[1:]
    told = pd.read_csv(run / "forecast.csv")
    assert pd.to_datetime(told["ds"], format="ISO8601").tolist() == ahead.tolist()
    kept = pd.read_parquet(run / "forecasts.parquet")
    parts = (pd.to_datetime(kept["cutoff"]) - times.iloc[0]) / pd.Timedelta(freq)
    assert set(parts) <= set(range(90, LENGTH)), "cutoffs lie on steps of the test part"
    assert kept["ds"].tolist() == [
        t + pd.Timedelta(freq) * k for t, k in zip(kept["cutoff"], kept["h_step"], strict=True)
    ]
