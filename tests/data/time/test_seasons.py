from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from foretide.data.panel import Panel
from foretide.data.synthetic import planted_lags
from foretide.data.time.seasons import main_season, seasons_of
from foretide.errors import ConfigError


@pytest.mark.parametrize(
    ("freq", "seasons"),
    [
        ("h", (24, 168)), ("30min", (48, 336)), ("15min", (96, 672)), ("min", (60, 1440)), ("D", (7,)), ("B", (5,)),
        ("W", (52,)), ("W-MON", (52,)), ("MS", (12,)), ("ME", (12,)), ("QS", (4,)), ("QE-DEC", (4,)), ("YS", ()),
        ("2h", (12, 84)), ("2MS", (6,)), (1, ()), ("5min", (12, 288)), ("7h", (24,)),
    ],
)  # fmt: skip
def test_seasons_follow_from_the_frequency(freq: str | int, seasons: tuple[int, ...]) -> None:
    assert seasons_of(freq) == seasons


def test_an_unknown_frequency_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"Expected a frequency such as 'h'.*got 'fortnight'"):
        seasons_of("fortnight")


def frame(y: np.ndarray, freq: str = "h") -> pd.DataFrame:
    return pd.DataFrame({"ds": pd.date_range("2020-01-06", periods=len(y), freq=freq), "y": y})


def test_the_season_with_the_lowest_error_wins() -> None:
    t = np.arange(1000)
    noise = np.random.default_rng(0).normal(scale=0.1, size=1000)
    daily, weekly = np.sin(2 * np.pi * t / 24), np.where(t // 24 % 7 < 5, 0.0, 3.0)
    assert main_season(Panel.from_wide(frame(daily + noise), target="y")) == 24
    assert main_season(Panel.from_wide(frame(daily + weekly + noise), target="y")) == 168


def test_the_choice_agrees_with_pandas_errors() -> None:
    panel = planted_lags(T=2000, lags=(168,), weights=(0.8,), seed=3).panel
    y = pd.Series(panel.values[:, 0])
    errors = {m: (y - y.shift(m)).abs()[168:].mean() for m in (24, 168)}
    assert main_season(panel) == min(errors, key=lambda m: errors[m]) == 168


def test_short_histories_fall_back() -> None:
    y = np.random.default_rng(0).normal(size=400)
    assert main_season(Panel.from_wide(frame(y[:300]), target="y")) == 24  # less than two weeks
    assert main_season(Panel.from_wide(frame(y[:40]), target="y")) == 1
    assert main_season(Panel.from_wide(frame(y[:90], "YS"), target="y")) == 1


def test_missing_values_and_a_constant_series_do_not_break_the_choice() -> None:
    t = np.arange(1000)
    y = np.where(t // 24 % 7 < 5, 0.0, 3.0) + np.sin(2 * np.pi * t / 24)
    y[::17] = np.nan
    long = pd.concat([frame(y).assign(unique_id="a"), frame(np.ones(1000)).assign(unique_id="b")])
    assert main_season(Panel.from_frame(long, missing="mask")) == 168


def test_one_long_series_does_not_impose_its_season_on_short_ones() -> None:
    y = np.random.default_rng(1).normal(size=1000) + 5 * (np.arange(1000) // 24 % 7 < 5)  # weekly by itself
    assert main_season(Panel.from_wide(frame(y), target="y")) == 168
    parts = [frame(y).assign(unique_id="long")] + [frame(y[:100]).assign(unique_id=f"s{i}") for i in range(5)]
    assert main_season(Panel.from_frame(pd.concat(parts))) == 24


def test_a_given_season_is_checked_and_returned() -> None:
    panel = Panel.from_wide(frame(np.arange(50.0)), target="y")
    assert main_season(panel, 13) == 13
    for wrong in (0, -1, 2.5, True):
        with pytest.raises(ConfigError, match="season is a number of steps"):
            main_season(panel, wrong)  # type: ignore[arg-type]
