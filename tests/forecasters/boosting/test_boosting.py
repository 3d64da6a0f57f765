"""Boosted trees: what they read, what known-future columns give them, and what is kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases import make_panel

import foretide as ft
from foretide.data.windows import Windows
from foretide.errors import ConfigError, MissingExtraError
from foretide.forecasters.boosting.features import Reading, detailed
from foretide.forecasters.boosting.trees import alike, loss_of

QUICK = {"trees": 60, "lr": 0.1, "rows": 6000}


def driven(n: int = 500, seed: int = 0) -> pd.DataFrame:
    """Days whose value is a V of a temperature known ahead, with a weekly season."""
    rng = np.random.default_rng(seed)
    warm = 15 + 10 * np.sin(np.arange(n) / 20) + rng.normal(0, 4, n)
    y = 100 + 3 * np.abs(warm - 18) + 5 * (np.arange(n) % 7 == 6) + rng.normal(0, 1, n)
    return pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=n), "y": y, "warm": warm})


def error(panel: ft.Panel, h: int = 7) -> float:
    cut = 420
    model = ft.Boosting(h, **QUICK).fit(panel, until=panel.grid.output_times([cut - 1])[0])  # type: ignore[arg-type]
    forecast = model.predict(panel, panel.grid.output_times(np.arange(cut - 1, 490, 5)))
    return float(np.sqrt(np.nanmean((forecast.truth() - forecast.mean) ** 2)))


def test_a_column_known_ahead_pays_where_it_moves_the_target() -> None:
    frame = driven()
    with_column = error(ft.Panel.from_frame(frame, future=["warm"]))
    without = error(ft.Panel.from_frame(frame.drop(columns="warm")))
    assert with_column < 0.5 * without


def test_columns_that_say_nothing_are_left_out_and_not_asked_for() -> None:
    rng = np.random.default_rng(3)
    frame = driven(1200).assign(noise=rng.normal(size=1200), y=20 + np.arange(1200) % 7 + rng.normal(0, 0.5, 1200))
    panel = ft.Panel.from_frame(frame.drop(columns="warm"), future=["noise"])
    model = ft.Boosting(7, **QUICK).fit(panel)  # type: ignore[arg-type]
    found = model.predict(panel)  # no row after the end brings the column
    assert not model.needs_future
    assert [note.columns for note in found.notes if note.kind == "left-out"] == [("noise",)]
    assert "no" in set(model.choices().query("setting == 'known columns'").value)


def test_rows_are_those_of_a_slow_loop() -> None:
    panel = make_panel((60, 50), targets=2, past=1, future=1, ahead=5)
    reading = Reading(5, 28, (7,), None, np.ones(2), detailed(panel, 3, 1), detailed(panel, 2, 1))
    windows = Windows(np.array([0, 1, 1]), np.array([40, 30, 44]))
    which, step = np.array([0, 1, 2, 2]), np.array([1, 3, 5, 2])
    rows = reading.rows(panel, windows, which, step)
    assert rows.x.shape[:2] == (4, 2)
    for p, (w, k) in enumerate(zip(which, step, strict=True)):
        cut = int(windows.cutoff[w])
        cells = panel.rows(int(windows.entity[w]))
        for d in range(2):
            y = cells[cut - 27 : cut + 1, d]
            level = y[-7:].mean()
            unit = np.sqrt(np.mean((y - level) ** 2))
            assert rows.level[p, d] == pytest.approx(level)
            assert rows.unit[p, d] == pytest.approx(unit)
            same = (y[-1 - 7 + k] - level) / unit if k < 7 else np.nan
            assert rows.bases[p, d].tolist() == pytest.approx([0.0, same])
            own = rows.x[p, d]
            for wanted in (
                same,
                (y[-1] - level) / unit,
                k,
                cells[cut + k, 3],
                cells[cut + k - 2 : cut + k + 1, 3].mean(),
            ):
                assert np.isclose(own, wanted, rtol=1e-5, atol=1e-6).any(), wanted
            assert not np.isclose(own, cells[cut + 1, d]).any()


def test_saved_trees_answer_in_another_process(tmp_path: Path) -> None:
    panel = ft.Panel.from_frame(driven(300), future=["warm"])
    model = ft.Boosting(7, **QUICK).fit(panel, until=panel.grid.output_times([280])[0])  # type: ignore[arg-type]
    driven(300).to_csv(tmp_path / "days.csv", index=False)
    model.save(tmp_path / "model")
    code = f"""
import foretide as ft
panel = ft.Panel.read({str(tmp_path / "days.csv")!r}, id="unique_id", future=["warm"])
model = ft.load({str(tmp_path / "model")!r})
print(*model.predict(panel, panel.grid.output_times([280])).quantile(0.9).ravel().tolist())
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    own = model.predict(panel, panel.grid.output_times([280])).quantile(0.9).ravel()
    np.testing.assert_allclose([float(word) for word in said.split()], own, rtol=1e-9)


def test_expected_errors_follow_what_makes_them_large() -> None:
    # Weekends are ten times as uncertain: an interval of one width for all days would cover too little or too much.
    rng = np.random.default_rng(1)
    days = np.arange(900)
    y = 50 + rng.normal(0, np.where(days % 7 >= 5, 10, 1))
    panel = ft.Panel.from_frame(
        pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=900), "y": y})
    )
    model = ft.Boosting(7, **QUICK).fit(panel, until=panel.grid.output_times([799])[0])  # type: ignore[arg-type]
    found = model.predict(panel, panel.grid.output_times([803]), levels=80)
    width = (found.quantile(0.9) - found.quantile(0.1))[0, :, 0]
    weekend = (days[804:811] % 7) >= 5
    assert width[weekend].mean() > 2 * width[~weekend].mean()


def test_counts_get_intervals_of_whole_numbers() -> None:
    panel = ft.synthetic.supplies(T=250, n_targets=3, seed=101, ahead=7).panel
    found = ft.Boosting(7, **QUICK).fit(panel).predict(panel, levels=80)  # type: ignore[arg-type]
    assert found.quantiles is not None
    np.testing.assert_array_equal(found.quantiles, np.round(found.quantiles))


def test_forests_that_do_about_as_well_are_averaged() -> None:
    assert alike([1.1, 1.0, 1.3]).tolist() == [1, 0]
    assert loss_of(np.array([0.5, -3.0])) == pytest.approx((0.125 + 2.5) / 2)
    panel = ft.synthetic.hourly(T=600, n_series=1, seed=210).panel
    model = ft.Boosting(24, **QUICK).fit(panel)  # type: ignore[arg-type]
    table = model.choices()
    trees = table[table.setting.str.startswith("trees on")]
    assert set(trees.setting) <= {"trees on level", "trees on last 24", "trees on last 168"}
    assert trees.value.astype(int).tolist() == list(model.grown_)


def test_a_series_too_short_to_spare_rows_still_learns() -> None:
    found = ft.Boosting(3, **QUICK).fit(make_panel((8,))).predict(make_panel((8,)), levels=80)  # type: ignore[arg-type]
    assert np.isfinite(found.mean).all()
    assert (found.quantile(0.1) < found.quantile(0.9)).all()


def test_what_is_asked_for_wrongly_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for settings, message in (
        ({"leaves": 1}, "leaves is a whole number of at least 2"),
        ({"calendar": "none"}, "calendar is 'auto', None"),
        ({"trees": 0}, "trees is a whole number"),
    ):
        with pytest.raises(ConfigError, match=message):
            ft.Boosting(7, **settings)  # type: ignore[arg-type]
    monkeypatch.setattr("foretide.forecasters.gaussian.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"'lightgbm'.*pip install 'foretide\[boost\]'"):
        ft.Boosting(7)
