"""Permutation importance: against slow loops, with planted answers, and blind to what comes after."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import make_panel, times

import foretide as ft
from foretide.data.panel import Panel, Static
from foretide.data.windows import Windows
from foretide.errors import ConfigError, DataError, NotFittedError
from foretide.evaluation.compare.tests import diebold_mariano
from foretide.evaluation.leaks.poison import poisoned
from foretide.explain.importance.importance import inputs, lag_bands
from foretide.explain.importance.summary import InputImportance
from foretide.explain.window_panels import carried, moved_blocks, one_cycle, windows_apart
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.seeding import numpy_generator

H, SIZE = 3, 14
SMALL: dict[str, Any] = {"input_size": SIZE, "hidden": 8, "epochs": 1, "device": "cpu"}


class Echo(Forecaster):
    """Forecasts the column ``p0`` at the cutoff plus the column ``f0`` of each step ahead; looks at nothing else."""

    def _fit(self, part: FitPart) -> None:
        pass

    def _predict(
        self, panel: Panel, windows: Windows, quantiles: tuple[float, ...], traces: tuple[str, ...]
    ) -> Prediction:
        rows = windows.rows(panel)
        ahead = panel.values[rows[:, None] + np.arange(1, self.h + 1), panel.index("f0")]
        return Prediction((panel.values[rows, panel.index("p0")][:, None] + ahead)[..., None])


@cache
def echo_panel(lengths: tuple[int, ...] = (150, 130)) -> Panel:
    """The target is what Echo says, and a little noise."""
    panel = make_panel(lengths, past=2, future=2, seed=4)
    values = np.random.default_rng(5).normal(size=panel.values.shape)
    made = panel.with_values(values)
    for i in range(panel.n_entities):
        rows = made.rows(i)
        rows[1:, 0] = rows[:-1, 1] + rows[1:, 3] + 0.1 * rows[1:, 0]
    return made


@cache
def echoed() -> InputImportance:
    return inputs(Echo(1).fit(echo_panel(), until=echo_panel().grid.output_times([60])[0]), echo_panel())


@cache
def ridge() -> tuple[Forecaster, Panel]:
    panel = make_panel((160, 140), targets=2, past=1, missing=0.05, seed=6)
    return ft.Ridge(H, input_size=SIZE).fit(panel, until=panel.grid.output_times([99])[0]), panel


# ------------------------------------------------------------------ moving
def test_blocks_move_as_wholes_and_none_stays() -> None:
    for seed in range(20):
        n, block = 100 + seed, 13
        taken = moved_blocks(n, block, numpy_generator(seed))
        assert sorted(taken.tolist()) == list(range(n))
        seams = (np.diff(taken) % n != 1).sum()
        assert 1 <= seams <= n // block + 1
        assert ((taken - np.arange(n)) % n != 0).mean() > 0.9
    assert moved_blocks(1, 5, numpy_generator(0)).tolist() == [0]
    assert sorted(moved_blocks(3, 50, numpy_generator(0)).tolist()) == [0, 1, 2]


def test_one_cycle_leaves_nothing_in_its_place() -> None:
    for n in (2, 3, 17):
        found = one_cycle(n, numpy_generator(n))
        assert sorted(found.tolist()) == list(range(n))
        assert (found != np.arange(n)).all()


def test_bands_of_lags() -> None:
    assert [g.name for g in lag_bands(60, 24)] == ["lags 0-5", "lags 6-23", "lags 24-47", "lags 48-59"]
    assert [g.name for g in lag_bands(40, 7)] == [
        "lag 0", "lags 1-6", "lags 7-13", "lags 14-20", "lags 21-27", "lags 28-39"
    ]  # fmt: skip
    for size, season in ((5, 7), (60, 24), (10, 1), (2, 1), (400, 168)):
        assert [lag for g in lag_bands(size, season) for lag in g.members] == list(range(size))


@pytest.mark.parametrize("case", ["ridge", "lstm", "lavar"])
def test_windows_apart_are_forecast_as_before(case: str) -> None:
    panel = make_panel((120, 110), targets=2, past=2, future=1, missing=0.05 if case == "ridge" else 0.0, seed=7)
    panel = dataclasses.replace(panel, static=Static(("size",), np.array([[1.0], [3.0]])))
    model: Forecaster = {
        "ridge": lambda: ft.Ridge(H, input_size=SIZE),
        "lstm": lambda: ft.LSTM(H, **SMALL),
        "lavar": lambda: ft.LAVAR(H, order=3, latent=2, epochs=1, head_epochs=1),
    }[case]()
    model.fit(panel)
    windows = Windows(np.array([0, 0, 1, 1]), np.array([60, 95, 40, 104]))
    size = getattr(model, "input_size", None)
    apart, own = windows_apart(panel if size is None else carried(panel), windows, size, H)
    expected = model._predict(panel, windows, (), ()).mean
    np.testing.assert_allclose(model._predict(apart, own, (), ()).mean, expected, rtol=1e-5)


# ------------------------------------------------------------------ against slow loops
def test_a_column_against_a_loop() -> None:
    model, panel = ridge()
    cutoffs = times(panel, list(range(99, 130)))
    found = inputs(model, panel, cutoffs, groups={"p": ["p0"]}, n_repeats=2, seed=3)
    plain = model.predict(panel, cutoffs, levels=())
    truth = plain.truth()
    repeats = []
    for r in range(2):
        generator = numpy_generator(3, 0, r)
        values = panel.values.copy()
        for i in range(2):
            start, last = panel.row0[i], 129
            seen = [t for t in range(last + 1) if not np.isnan(panel.values[start + t, 2])]
            taken = moved_blocks(len(seen), SIZE + H, generator)
            for to, source in zip(seen, taken, strict=True):
                values[start + to, 2] = panel.values[start + seen[source], 2]
        changed = panel.with_values(values)
        repeats.append([
            np.nanmean((model.predict(changed, [t], levels=()).mean - plain.truth()[[k, k + 31]]) ** 2)
            for k, t in enumerate(cutoffs)
        ])  # fmt: skip
    # Points are averaged over all, cutoffs may have a gap more or less.
    own = np.array([np.nanmean((plain.mean - truth)[[k, k + 31]] ** 2) for k in range(31)])
    np.testing.assert_allclose(found.losses, own, rtol=1e-6)
    np.testing.assert_allclose(found.gaps[0], np.mean(repeats, axis=0) - own, rtol=1e-4, atol=1e-6)
    points = (~np.isnan(truth)).sum(axis=(1, 2))
    weights = points[:31] + points[31:]
    np.testing.assert_allclose(found.loss, np.nanmean((plain.mean - truth) ** 2), rtol=1e-6)
    np.testing.assert_allclose(found.by_repeat[0], (np.array(repeats) - own) @ weights / weights.sum(), atol=1e-6)
    np.testing.assert_allclose(found.increase, found.by_repeat.mean(axis=1))
    test = diebold_mariano(np.mean(repeats, axis=0), own, h=H)
    np.testing.assert_allclose([found.low[0], found.high[0]], test.interval(95), rtol=1e-3, atol=1e-6)
    one_sided = diebold_mariano(np.mean(repeats, axis=0), own, h=H, alternative="greater")
    assert found.p_value[0] == pytest.approx(one_sided.p_value, abs=1e-4)
    assert found.overlap == H


def test_lags_against_a_loop() -> None:
    model, panel = ridge()
    cutoffs = times(panel, [100, 105, 110, 120])
    found = inputs(model, panel, cutoffs, groups={"some": [0, 2, 9]}, n_repeats=1, seed=1)
    generator = numpy_generator(1, 0, 0)
    donor = np.concatenate([one_cycle(4, generator), 4 + one_cycle(4, generator)])
    plain = model.predict(panel, cutoffs, levels=())
    filled = panel.values.copy()
    for i in range(2):
        start = panel.row0[i]
        for t in range(1, panel.length[i]):
            hole = np.isnan(filled[start + t])
            filled[start + t, hole] = filled[start + t - 1, hole]
    losses = []
    for w in range(8):
        values = panel.values.copy()
        for lag in (0, 2, 9):
            values[plain.windows.rows(panel)[w] - lag, :2] = filled[plain.windows.rows(panel)[donor[w]] - lag, :2]
        # A gap at the replaced lags is filled by the other window's value, later gaps as they were.
        values = np.where(np.isnan(panel.values) & np.isnan(values), filled, values)
        changed = model.predict(panel.with_values(values), [cutoffs[w % 4]], levels=()).mean[w // 4]
        losses.append((changed - plain.truth()[w]) ** 2)
    expected = np.nanmean(losses) - np.nanmean((plain.mean - plain.truth()) ** 2)
    assert found.increase[0] == pytest.approx(expected, rel=1e-5)
    assert abs(expected) > 1e-3


def test_windows_taken_piece_by_piece_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = make_panel((150,), seed=8)
    model = ft.SeasonalNaive(2, season=7).fit(panel, until=panel.grid.output_times([99])[0])
    whole = inputs(model, panel, groups={"used": [5, 6]}, n_repeats=2)
    monkeypatch.setattr("foretide.explain.importance.importance.MOST_CELLS", 1000)
    np.testing.assert_array_equal(inputs(model, panel, groups={"used": [5, 6]}, n_repeats=2).gaps, whole.gaps)


def test_a_model_that_reads_beyond_its_lookback_gets_its_whole_history() -> None:
    """Its first value ever is part of each forecast, whatever ``input_size`` says."""

    class Long(Echo):
        input_size = 5

        def _predict(self, panel: Panel, windows: Windows, *_: Any) -> Prediction:  # type: ignore[override]
            rows = windows.rows(panel)
            first = panel.values[panel.row0[windows.entity], 0]
            return Prediction(np.repeat((first + panel.values[rows - 6, 0])[:, None, None], self.h, axis=1))

    panel = make_panel((150,), seed=8)
    found = inputs(Long(2).fit(panel), panel, times(panel, list(range(60, 90))), groups={"six": [6], "none": [1, 2]})
    assert abs(found.increase[0]) > 0.1
    assert found.increase[1] == 0


def test_by_target_and_by_cutoff() -> None:
    model, panel = ridge()
    cutoffs = times(panel, list(range(100, 125)))
    found = inputs(model, panel, cutoffs, groups={"p": ["p0"], "new": [0]}, n_repeats=2)
    plain = model.predict(panel, cutoffs, levels=())
    by_target = found.by_target()
    base = np.nanmean((plain.mean - plain.truth()) ** 2, axis=(0, 1))
    np.testing.assert_allclose(found.target_loss, base, rtol=1e-6)
    share = by_target[(by_target["group"] == "new") & (by_target["target"] == "y1")].iloc[0]
    assert share["relative"] == pytest.approx(share["increase"] / base[1])
    table = found.by_cutoff()
    assert len(table) == 2 * 25
    assert list(table["cutoff"][:25]) == cutoffs
    np.testing.assert_array_equal(table["increase"][:25], found.gaps[0])


# ------------------------------------------------------------------ planted answers
def test_what_is_not_used_has_no_importance_at_all() -> None:
    table = echoed().table()
    assert table["group"].tolist()[:2] in (["p0", "f0"], ["f0", "p0"])
    unused = table[table["group"].isin(["p1", "f1"])]
    assert (unused[["increase", "low", "high", "repeat_sd"]] == 0).to_numpy().all()
    assert (unused["p_value"] == 1).all()
    assert not unused["more_than_chance"].any()
    assert any("does not use p1 and f1 at all" in s for s in echoed().sentences())


def test_an_independent_column_costs_twice_its_variance() -> None:
    """E (x' - y)^2 - E (x - y)^2 = 2 Var x for a value of another time, here 2."""
    table = echoed().table().set_index("group")
    for column in ("p0", "f0"):
        assert table.loc[column, "increase"] == pytest.approx(2, abs=0.5)
        assert table.loc[column, "low"] > 0
        assert table.loc[column, "more_than_chance"]
    both = inputs(
        Echo(1).fit(echo_panel()), echo_panel(), groups={"both": ["p0", "f0"], "idle": ["p1", "f1"]}, n_repeats=20
    )  # fmt: skip
    assert both.increase == pytest.approx([4, 0], abs=0.8)
    assert both.kinds == ("past and future",) * 2
    assert both.members == (("p0", "f0"), ("p1", "f1"))


def test_columns_of_a_group_move_together() -> None:
    """Twins cancel: a forecast from their difference does not notice blocks that move together."""

    class Difference(Echo):
        def _predict(self, panel: Panel, windows: Windows, *_: Any) -> Prediction:  # type: ignore[override]
            rows = windows.rows(panel)
            gap = panel.values[rows, panel.index("p0")] - panel.values[rows, panel.index("p1")]
            return Prediction(np.repeat(gap[:, None, None], self.h, axis=1))

    panel = echo_panel()
    values = panel.values.copy()
    values[:, 2] = values[:, 1]
    twins = panel.with_values(values)
    found = inputs(Difference(1).fit(twins), twins, groups={"one": ["p0"], "both": ["p0", "p1"]})
    assert found.increase[0] > 1
    assert found.increase[1] == 0


@pytest.mark.parametrize("kind", ["LSTM", "Attention"])
def test_planted_lags_lead(kind: str) -> None:
    """Lags 7 and 14 drive the series, so three steps ahead they lie 4 to 6 and 11 to 13 rows back."""
    panel = ft.synthetic.planted_lags(T=700, lags=(7, 14), weights=(0.6, 0.3), seed=2).panel
    model = getattr(ft, kind)(H, input_size=20, hidden=8, epochs=1, device="cpu")
    model.fit(panel, until=panel.grid.output_times([560])[0])
    wanted = {"first": range(4, 7), "second": range(11, 14), "new": range(4), "between": range(7, 11)}
    wanted |= {"old": range(14, 20), "noise": list(panel.past)}
    found = inputs(model, panel, groups=wanted, n_repeats=3).table()
    assert found["group"].tolist()[:2] == ["first", "second"]
    assert found["more_than_chance"].tolist()[:2] == [True, True]
    assert (found["increase"].iloc[:2] > 5 * found["increase"].iloc[2:].max()).all()


def test_static_columns_are_traded() -> None:
    class Level(Echo):
        def _predict(self, panel: Panel, windows: Windows, *_: Any) -> Prediction:  # type: ignore[override]
            return Prediction(np.repeat(panel.static.values[windows.entity][:, :1, None], self.h, axis=1))

    panel = make_panel((60, 60, 60), seed=1)
    values = panel.values.copy()
    values[:, 0] = np.repeat([1.0, 2.0, 4.0], 60)
    panel = dataclasses.replace(
        panel.with_values(values), static=Static(("level", "x"), np.array([[1, 0], [2, 5], [4, 9.0]]))
    )
    found = inputs(Level(2).fit(panel), panel)
    assert found.names == ("level", "x")
    # One cycle of three: the squared gaps 1, 4 and 9 come once each.
    assert found.increase == pytest.approx([14 / 3, 0])


def test_lags_of_a_model_that_remembers_everything() -> None:
    panel = make_panel((150,), seed=8)
    model = ft.SeasonalNaive(2, season=7).fit(panel, until=panel.grid.output_times([99])[0])
    found = inputs(model, panel, groups={"used": [5, 6], "newer": range(5), "older": range(7, 20)})
    assert found.increase[0] > 0
    assert found.increase[1:].tolist() == [0, 0]


# ------------------------------------------------------------------ honesty
def test_what_comes_after_the_last_window_changes_nothing() -> None:
    panel = echo_panel()
    last, model = 100, Echo(1).fit(panel)
    cutoffs = times(panel, list(range(60, last + 1)))
    bad = poisoned(panel, panel.grid.output_times([last + 1])[0], "huge").values.copy()
    for i in range(2):
        start = panel.row0[i]
        # Past columns end at the cutoff, known ones at its last step.
        bad[start + last + 1, 1:3] = 1e9
        bad[start + last + 2 : start + panel.length[i], 3:] = 1e9
    clean, poison = (inputs(model, p, cutoffs, seed=2) for p in (panel, panel.with_values(bad)))
    for field in ("increase", "by_repeat", "gaps", "low", "p_holm"):
        np.testing.assert_array_equal(getattr(clean, field), getattr(poison, field))


def test_the_panel_and_the_model_stay_as_they_were() -> None:
    panel = ft.synthetic.supplies(T=200, n_targets=3, n_covariates=4, seed=0).panel
    model = ft.LAVAR(H, order=3, latent=2, epochs=1, head_epochs=1).fit(panel, until="2019-06-01")
    model.predict(panel, ["2019-06-10"])
    before, counted = panel.values.copy(), dict(model.interventions)
    inputs(model, panel, times(panel, list(range(155, 170))), n_repeats=1)
    np.testing.assert_array_equal(panel.values, before)
    assert model.interventions == counted


def test_a_seed_gives_the_same_numbers() -> None:
    model, panel = ridge()
    a, b, c = (inputs(model, panel, n_repeats=2, seed=s) for s in (5, 5, 6))
    pd.testing.assert_frame_equal(a.table(), b.table())
    assert (a.increase != c.increase).all()


def test_default_windows() -> None:
    assert not echoed().in_sample
    assert len(echoed().times) == 150 - 1 - 60
    model = Echo(1).fit(echo_panel())
    whole = inputs(model, echo_panel(), n_repeats=1)
    assert whole.in_sample
    assert any("learned from rows after the first" in s for s in whole.sentences())
    model, panel = ridge()
    found = inputs(model, panel, n_repeats=1)
    assert found.times[0] == panel.grid.output_times([99])[0]


def test_words_when_nothing_matters_and_when_there_is_too_little() -> None:
    nothing = dataclasses.replace(echoed(), p_holm=np.full(4, 0.3))
    assert (
        "No clear pattern: replacing any one of 4 inputs raises the MSE of Echo by no more than chance"
        in (nothing.sentences()[0])
    )
    few = inputs(Echo(1).fit(echo_panel()), echo_panel(), times(echo_panel(), [70, 80]), n_repeats=1)
    assert "2 cutoffs are too few" in few.sentences()[0]
    assert np.isnan(few.p_value).all()
    assert not few.more_than_chance.any()
    harm = dataclasses.replace(echoed(), high=np.array([-1.0, 1, 1, 1]))
    assert any("Replacing p0 lowers the MSE" in s for s in harm.sentences())
    assert "relies most on" in echoed().sentences()[0]
    assert "2 of 4 inputs matter" in repr(echoed())
    odd = dataclasses.replace(echoed(), names=("<b>", "x", "y", "z"))
    assert "<b>" not in odd._repr_html_()


def test_wrong_settings() -> None:
    model, panel = ridge()

    def fails(error: type[Exception], match: str, **options: Any) -> None:
        with pytest.raises(error, match=match):
            inputs(options.pop("model", model), options.pop("panel", panel), **options)

    fails(NotFittedError, "Ridge is not fitted", model=ft.Ridge(H))
    fails(ConfigError, "names 'p1', which is no column. Known: p0", groups={"a": ["p1"]})
    fails(ConfigError, "names the target 'y0'. Name lags", groups={"a": "y0"})
    fails(ConfigError, "has the lag -1. Lags count back from 0", groups={"a": [0, -1]})
    fails(ConfigError, "names columns or lags, at least one, never both", groups={"a": ["p0", 3]})
    fails(ConfigError, "at least one, never both", groups={"a": []})
    fails(ConfigError, "groups is empty. Name columns or lags", groups={})
    fails(ConfigError, "metric is 'mse' or 'mae'", metric="rmse")
    fails(ConfigError, "n_repeats and block are at least 1", n_repeats=0)
    fails(DataError, "has one only. Give cutoffs", cutoffs=times(panel, [100]), groups={"a": [0]}, n_repeats=1)
    fails(DataError, "None of the windows has an observed truth", cutoffs=times(panel, [159]))
    plain = make_panel((60,))
    fails(ConfigError, "no default group. Name lags", model=ft.Persistence(2).fit(plain), panel=plain)


def test_known_columns_move_up_to_the_last_step_ahead_and_past_ones_to_the_cutoff() -> None:
    given: list[Panel] = []

    class Recorder(Echo):
        def _predict(self, panel: Panel, windows: Windows, *rest: Any) -> Prediction:  # type: ignore[override]
            given.append(panel)
            return super()._predict(panel, windows, (), ())

    panel, last, h = echo_panel((150,)), 80, 4
    cutoffs = times(panel, list(range(50, last + 1)))
    inputs(
        Recorder(h).fit(panel, intervals=False), panel, cutoffs, groups={"both": ["p0", "f0"]}, n_repeats=30, block=9
    )
    moved = np.stack([p.values != panel.values for p in given[1:]]).any(axis=0)
    assert len(given) == 31
    assert moved[: last + 1, 1].all()
    assert not moved[last + 1 :, 1].any()
    assert moved[: last + h + 1, 3].all()
    assert not moved[last + h + 1 :, 3].any()
    assert not moved[:, [0, 2, 4]].any()
