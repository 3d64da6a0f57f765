"""What differs under another known future: values, intervals of differences, and what is refused."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.errors import ConfigError, DataError
from foretide.forecasters.base import Forecaster
from foretide.forecasters.what_if import MEANING, WhatIf

H = 4


@cache
def panel() -> ft.Panel:
    """Two shops, a promotion that adds to what is sold, weather in words, and a past column."""
    rng = np.random.default_rng(0)
    frames = []
    for shop, size in (("a", 10.0), ("b", 30.0)):
        days = pd.date_range("2024-01-01", periods=120)
        promo = rng.random(120) < 0.4
        rain = np.where(rng.random(120) < 0.3, "rain", "sun")
        y = size + 6.0 * promo - 2.0 * (rain == "rain") + rng.normal(size=120)
        frames.append(
            pd.DataFrame(
                {"unique_id": shop, "ds": days, "y": y, "promo": 1.0 * promo, "sky": rain, "stock": y * 2, "size": size}
            )
        )
        frames[-1].loc[116:, ["y", "stock"]] = np.nan
    return ft.Panel.from_frame(pd.concat(frames), future=["promo", "sky"], past=["stock"], static=["size"])


@cache
def model(intervals: bool = True) -> Forecaster:
    return ft.Ridge(h=H, input_size=7).fit(panel(), intervals=intervals)


def test_one_value_moves_the_forecast_by_what_was_learned() -> None:
    found = model().compare(panel(), {"promo": 1})
    assert found.forecast.mean.shape == (2, H, 1)
    held = np.stack([panel().rows(i)[-H:, panel().index("promo")] for i in range(2)])
    np.testing.assert_allclose(found.difference()[..., 0], 6.0 * (1 - held), atol=1.0)
    np.testing.assert_allclose(found.forecast.mean, model().predict(panel()).mean, atol=1e-9)
    assert list(found.scenarios) == ["promo=1"]
    assert not found.unused["promo=1"]


def test_values_by_step_by_forecast_by_function_and_by_category_are_the_same() -> None:
    table = np.tile([1.0, 0.0, 1.0, 0.0], (2, 1))
    found = model().compare(
        panel(),
        {
            "steps": {"promo": [1, 0, 1, 0]}, "table": {"promo": table},
            "call": {"promo": lambda x: np.where(table, 1, 0)}, "bools": {"promo": [True, False, True, False]},
        },
        levels=(),
    )  # fmt: skip
    first = found.difference("steps")
    assert first.any()
    for name in ("table", "call", "bools"):
        np.testing.assert_allclose(found.difference(name), first, atol=1e-9)
    rain = model().compare(panel(), {"all rain": {"sky": "rain"}, "as it is": {"sky": lambda x: x}}, levels=())
    assert (rain.difference("all rain") <= 1e-9).all()
    assert rain.difference("all rain").min() < -1.0
    np.testing.assert_allclose(rain.difference("as it is"), 0.0, atol=1e-9)


def test_intervals_are_those_of_differences_of_paths() -> None:
    found = model().compare(panel(), {"promo": 0}, levels=80, n=300, seed=3)
    frame = found.to_frame()
    assert list(frame.columns) == [
        "unique_id", "ds", "cutoff", "scenario", "forecast", "what_if", "difference", "difference-lo-80",
        "difference-hi-80",
    ]  # fmt: skip
    assert len(frame) == 2 * H
    # The twin: paths of two tables, drawn with one seed.
    values = panel().values.copy()
    for i in range(2):
        end = int(panel().row0[i] + panel().length[i])
        values[end - H : end, panel().index("promo")] = 0.0
    paths = [model().predict(table, levels=80).sample(300, 3) for table in (panel(), panel().with_values(values))]
    moved = paths[1] - paths[0]
    for q, column in ((0.1, "difference-lo-80"), (0.9, "difference-hi-80")):
        np.testing.assert_allclose(frame[column], np.quantile(moved, q, axis=1)[..., 0].ravel(), atol=1e-6)
    total = found.total()
    np.testing.assert_allclose(total["difference-hi-80"], np.quantile(moved.sum(axis=2), 0.9, axis=1)[:, 0], atol=1e-6)
    np.testing.assert_allclose(total["difference"], frame.groupby("unique_id")["difference"].sum(), atol=1e-9)
    width = frame["difference-hi-80"] - frame["difference-lo-80"]
    both = found.forecast.quantile(0.9) - found.forecast.quantile(0.1)
    assert (width < both.ravel()).all()  # not the difference of intervals


def test_without_a_distribution_there_are_means_alone() -> None:
    found = model(intervals=False).compare(panel(), {"promo": 0})
    assert not found.levels
    assert "difference-lo-80" not in found.to_frame()


def test_it_says_what_a_difference_means_and_is_frozen() -> None:
    found = model().compare(panel(), {"promo": 0}, levels=())
    assert found.sentences()[-1] == MEANING
    assert found.sentences()[0].startswith("promo=0: the sum of 2 forecasts over 4 steps goes from ")
    assert repr(found) == "WhatIf(Ridge: 2 origins x 4 steps x 1 targets, promo=0)"
    assert isinstance(found, WhatIf)
    with pytest.raises(FrozenInstanceError):
        found.levels = ()  # type: ignore[misc]
    with pytest.raises(ConfigError, match="no scenario 'promo'"):
        found.difference("promo")
    pytest.importorskip("matplotlib")
    assert len(found.plot(["a"]).axes) >= 1  # type: ignore[union-attr]


def test_a_model_that_does_not_look_says_so() -> None:
    found = ft.SeasonalNaive(h=H, season=7).fit(panel()).compare(panel(), {"promo": 0})
    assert found.sentences() == ["promo=0: SeasonalNaive does not look at promo.", MEANING]
    assert not found.to_frame()["difference"].any()


WRONG: list[tuple[Any, str]] = [
    ({"prmo": 0}, "no known-future column 'prmo'. Did you mean 'promo'?"),
    ({"stock": 0}, "'stock' is known up to the cutoff only"),
    ({"y": 0}, "'y' is what is forecast"),
    ({"size": 0}, "'size' is one value of a series"),
    ({}, "compare needs columns"),
    (["promo"], "compare needs columns"),
    ({"none": {}}, "changes nothing"),
    ({"a": {"promo": 0}, "promo": 1}, "names a scenario and 'promo' a column"),
    ({"promo": "many"}, "is a number, got 'many'"),
    ({"promo": np.nan}, "finite number"),
    ({"promo": [1, 0]}, "Give one value, 4 values"),
    ({"promo": lambda x: x[:, :2]}, "Give one value, 4 values"),
    ({"sky": "snow"}, "one of its categories at fit, got 'snow'"),
    ({"sky": 1}, "one of its categories at fit, got 1"),
]


@pytest.mark.parametrize(("changes", "words"), WRONG)
def test_what_does_not_fit_is_refused(changes: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        model().compare(panel(), changes)
    assert words in str(caught.value)


def test_a_table_without_rows_ahead_is_refused() -> None:
    with pytest.raises(DataError, match="0 rows after the cutoff of 'a', and what is to change lies in 4"):
        model().compare(panel().head(panel().observed), {"promo": 0})
    bare = ft.synthetic.hourly(T=60, n_series=1, seed=0).panel
    with pytest.raises(ConfigError, match="has no known-future columns"):
        ft.Drift(h=2).fit(bare).compare(bare, {"promo": 0})


def test_frames_and_several_cutoffs() -> None:
    frame = panel().to_frame()
    cutoffs = ["2024-04-01", "2024-04-03"]
    found = model().compare(frame, {"promo": 1}, cutoffs=cutoffs, levels=())
    assert len(found.forecast) == 4
    np.testing.assert_allclose(found.forecast.mean, model().predict(panel(), cutoffs).mean, atol=1e-9)
    assert found.to_frame()["cutoff"].nunique() == 2
