"""Every series of a table gets an answer, whatever the others are like, and short ones change nothing for long ones."""

from __future__ import annotations

import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import CASES, ONE_EACH, make_panel

import foretide as ft
import foretide.forecasters.artifact as artifact
from foretide.data.panel import Panel
from foretide.data.reading.problems import DataWarning
from foretide.errors import DataError
from foretide.evaluation.rolling.folds import make_plan
from foretide.forecasters.base import FitPart, Forecaster
from foretide.forecasters.forecast import Forecast
from foretide.forecasters.table import forecaster_class

H = 5
SHORT = ("short", "tiny", "one")
"""Too short for a window of any model with a lookback."""
KNOWN = ("long", "other", "ended", "later", *SHORT, "zero", "constant", "holes", "late start")
NEW = ("new", "new and short")

MORE = ("Attention-nb", "LSTM-base", "LAVAR-gaussian", "Ensemble-median", "PerEntity-LSTM")
"""Beside one of each class: other heads, bases and members meet short series in code of their own."""
each = pytest.mark.parametrize("case", [*ONE_EACH, *MORE])
each_class = pytest.mark.parametrize("case", ONE_EACH)
pytestmark = pytest.mark.filterwarnings("ignore")


def one(name: str, start: str, rows: int, *, constant: float | None = None, empty: float = 0.0) -> pd.DataFrame:
    """Daily rows around 20 with a weekly wave; ``empty`` is the share of missing cells."""
    rng = np.random.default_rng(sum(map(ord, name)))
    ds = pd.date_range(start, periods=rows)
    y = np.rint(20 + 6 * np.sin(2 * np.pi * np.asarray(ds.day_of_week) / 7) + rng.normal(size=rows))
    if constant is not None:
        y[:] = constant
    y[:-1][rng.random(rows - 1) < empty] = np.nan
    return pd.DataFrame({"unique_id": name, "ds": ds, "y": y, "f": rng.normal(size=rows)})


@cache
def frame() -> pd.DataFrame:
    late = one("late start", "2023-01-02", 150)
    late.loc[:100, "y"] = np.nan
    return pd.concat(
        [
            one("long", "2023-01-02", 150), one("other", "2023-01-09", 140), one("ended", "2021-03-01", 90),
            one("later", "2024-09-01", 80), one("short", "2023-05-10", 12), one("tiny", "2023-05-20", 5),
            one("one", "2023-05-31", 1), one("zero", "2023-01-02", 150, constant=0),
            one("constant", "2023-02-01", 100, constant=7), one("holes", "2023-01-02", 150, empty=0.25), late,
            one("new", "2023-03-01", 90), one("new and short", "2023-05-29", 3),
        ],
        ignore_index=True,
    )  # fmt: skip


@cache
def panel_of(*names: str) -> Panel:
    table = frame()
    return locked(Panel.from_frame(table[table.unique_id.isin(names)], freq="D", future=["f"], missing="mask"))


def locked(panel: Panel) -> Panel:
    """Return a panel that all may share: nobody can write into it."""
    panel.values.flags.writeable = False
    return panel


@cache
def fitted(case: str, names: tuple[str, ...] = KNOWN) -> Forecaster:
    return CASES[case](H).fit(panel_of(*names))


@cache
def ahead(panel: Panel) -> Panel:
    """Return the panel with known-future rows after the end of each series."""
    table = panel.to_frame()
    ends = table.groupby("unique_id").ds.max()
    more = [
        pd.DataFrame({"unique_id": name, "ds": pd.date_range(end, periods=H + 1)[1:], "f": 0.5})
        for name, end in ends.items()
    ]
    order = list(dict.fromkeys(table.unique_id))
    whole = pd.concat([table, *more], ignore_index=True)
    whole = pd.concat([whole[whole.unique_id == name] for name in order], ignore_index=True)
    return locked(Panel.from_frame(whole, freq="D", future=["f"], missing="mask"))


def by_name(found: Forecast) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    return {
        found.panel.ids[i]: (found.mean[k], None if found.quantiles is None else found.quantiles[k])
        for k, i in enumerate(found.windows.entity)
    }


@each
def test_every_series_has_a_finite_forecast_with_intervals(case: str, tmp_path: Path) -> None:
    model, names = fitted(case), (*KNOWN, *NEW)
    panel = ahead(panel_of(*names))
    found = model.predict(panel, levels=(80,))
    assert {panel.ids[i] for i in found.windows.entity} == set(names)
    assert np.isfinite(found.mean).all()
    assert found.quantiles is not None
    assert np.isfinite(found.quantiles).all()
    assert (np.diff(found.quantiles, axis=-1) >= 0).all()
    answers = by_name(found)
    for name in set(names) - {*SHORT, "new and short"}:
        assert np.abs(answers[name][0] - {"zero": 0, "constant": 7}.get(name, 20)).max() < 15, name
    model.save(tmp_path / "model")
    again = artifact.load(tmp_path / "model").predict(panel, levels=(80,))
    np.testing.assert_array_equal(found.mean, again.mean)
    if found.quantiles is not None and again.quantiles is not None:
        np.testing.assert_array_equal(found.quantiles, again.quantiles)
    assert found.note_texts() == again.note_texts()


@each
def test_stand_ins_are_named_in_the_rows_they_answer(case: str) -> None:
    model, names = fitted(case), (*KNOWN, *NEW)
    found = model.predict(ahead(panel_of(*names)))
    told = dict(zip((found.panel.ids[i] for i in found.windows.entity), found.note_texts(), strict=True))
    stood_in = {name for name, text in told.items() if "forecast by" in text}
    assert not stood_in & {"long", "other", "later", "holes"}
    expected = {name for name in names if len(frame()[frame().unique_id == name]) < model.min_history}
    if case.startswith("Ensemble"):
        return  # its members stand in one by one
    assert expected <= stood_in
    if not model.accepts_new_ids:
        assert set(NEW) <= stood_in
    notes = found.to_frame(notes=True)
    for name in stood_in:
        text = notes.loc[notes.unique_id == name, "note"].iloc[0]
        assert re.search("forecast by (SeasonalNaive|WindowMean|the seasonal naive|the random walk): ", text)


@each_class
def test_a_series_too_short_to_learn_from_changes_nothing_for_the_others(case: str) -> None:
    others = tuple(name for name in KNOWN if name not in SHORT)
    panel = panel_of(*others)
    with_them = by_name(fitted(case).predict(ahead(panel), levels=(80,)))
    without = by_name(fitted(case, others).predict(ahead(panel), levels=(80,)))
    for name in others:
        for ours, theirs in zip(with_them[name], without[name], strict=True):
            if theirs is not None:
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5, err_msg=name)


SHOPS: dict[str, tuple[str, dict[str, Any]]] = {
    "SeasonalES": ("SeasonalES", {}),
    "TSB": ("TSB", {}),
    "CalendarES": ("CalendarES", {}),
    "Ridge": ("Ridge", {}),
    "LSTM": ("LSTM", {"epochs": 1, "hidden": 8}),
    "Attention-nb": ("Attention", {"epochs": 1, "hidden": 8, "head": "nb", "calendar": "auto"}),
    "WithIntervals": ("WithIntervals", {"model": {"Ridge": {}}}),
    "Conformal": ("Conformal", {"model": {"SeasonalES": {}}}),
    "LAVAR": ("LAVAR", {"epochs": 1, "head_epochs": 1}),
    "CalendarES-de": ("CalendarES", {"calendar": {"features": ["weekday"], "country": "DE"}}),
    "Ensemble": ("Ensemble", {"models": [{"Ridge": {}}, {"SeasonalES": {}}], "weights": "validated"}),
}


@pytest.mark.parametrize("case", SHOPS)
def test_a_new_shop_leaves_the_forecasts_of_the_old_ones_as_they_were(case: str) -> None:
    rng = np.random.default_rng(0)
    days = pd.date_range("2023-01-02", periods=240)
    shops = [
        pd.DataFrame({"unique_id": f"shop{k}", "ds": days, "region": "north", "f": rng.integers(0, 2, 240),
                      "y": rng.poisson(20 + 10 * k + 8 * (days.day_of_week >= 5))}) for k in range(3)
    ]  # fmt: skip
    newcomer = pd.DataFrame(
        {"unique_id": "newcomer", "ds": days[-12:], "region": "south", "f": 0, "y": rng.poisson(14, 12)}
    )

    def table(*parts: pd.DataFrame) -> Panel:
        return Panel.from_frame(pd.concat(parts, ignore_index=True), freq="D", future=["f"], static=["region"])

    name, settings = SHOPS[case]
    old, cutoff = table(*shops), [days[-8]]
    alone = forecaster_class(name)(h=7, **settings).fit(old).predict(old, cutoff, (80,))
    for rows in (1, 12):
        model = forecaster_class(name)(h=7, **settings).fit(table(newcomer[-rows:], *shops))
        beside = model.predict(old, cutoff, (80,))
        np.testing.assert_allclose(beside.mean, alone.mean, rtol=1e-6)
        if alone.quantiles is not None and beside.quantiles is not None:
            np.testing.assert_allclose(beside.quantiles, alone.quantiles, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "refit"), [("SeasonalES", True), ("Ridge", False), ("LSTM", True), ("ARIMA", False), ("LAVAR", False)]
)
def test_a_backtest_forecasts_series_that_its_fits_have_not_seen(name: str, refit: bool) -> None:
    settings = {"LSTM": {"epochs": 1, "hidden": 8, "input_size": 14}, "Ridge": {"input_size": 14},
                "LAVAR": {"order": 3, "latent": 2, "epochs": 1, "head_epochs": 1}}  # fmt: skip
    panel = panel_of("long", "other", "ended", "short", "tiny", "one", "zero", "constant", "new")
    card = ft.backtest({name: {"h": H, **settings.get(name, {})}}, panel, start="2023-03-20", step=30, refit=refit)
    scores = card.scores("mae", by="series").set_index("unique_id")
    assert np.isfinite(scores.loc[["long", "other", "new", "short", "constant"], name]).all()


@pytest.mark.parametrize("names", [KNOWN, ("ended", "long", "later")])
def test_run_and_tune_go_through(names: tuple[str, ...], tmp_path: Path) -> None:
    panel = panel_of(*names)
    path = tmp_path / "table.csv"
    panel.to_frame().to_csv(path, index=False)
    done = ft.run(
        {
            "name": "many", "data": {"path": str(path), "freq": "D", "missing": "mask", "future": ["f"]},
            "h": H, "models": [{"Ridge": {"input_size": 14}}, {"SeasonalES": {}}],
        },
        output=tmp_path / "run",
    )  # fmt: skip
    assert done.status == "finished"


def test_tune_goes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna", reason="the search needs optuna")
    monkeypatch.chdir(tmp_path)  # where its study is kept
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = ft.tune(ft.Ridge, panel_of(*KNOWN), n_trials=2, h=H)
    assert np.isfinite(study.best.value)


def test_a_series_without_known_ahead_values_gets_the_stand_in_while_others_have_them() -> None:
    model = fitted("LSTM", ("long", "other"))
    table, own = ahead(panel_of("long", "other")).to_frame(), panel_of("long").to_frame()
    lacking = pd.concat([own, table[table.unique_id == "other"]], ignore_index=True)
    found = model.predict(Panel.from_frame(lacking, freq="D", future=["f"], missing="mask"))
    alone = model.predict(ahead(panel_of("other")))
    np.testing.assert_allclose(found.mean[1], alone.mean[0], rtol=1e-5)
    assert found.note_texts()[1] == ""
    assert "forecast by SeasonalNaive: known-future columns without values over the 5 steps" in found.note_texts()[0]
    with pytest.raises(DataError, match=r"Known-future column 'f' of 'long' has no value .* Add rows with its values"):
        model.predict(panel_of("long", "other"))


@each_class
def test_rows_known_ahead_alone_continue_the_fitted_series(case: str) -> None:
    model, table = fitted(case), ahead(panel_of("long", "other", "later")).to_frame()
    wanted = model.predict(Panel.from_frame(table, freq="D", future=["f"], missing="mask"))
    alone = table[table.groupby("unique_id").cumcount(ascending=False) < H]
    found = model.predict(Panel.from_frame(alone, freq="D", future=["f"]))
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-5)
    apart = alone.assign(ds=alone.ds + pd.Timedelta(days=2))
    with pytest.raises(DataError, match=r"'long' has no forecast: .* do not begin right after .* Give its latest rows"):
        model.predict(Panel.from_frame(apart, freq="D", future=["f"]))
    one_apart = Panel.from_frame(pd.concat([alone[alone.unique_id == "long"], apart[apart.unique_id == "other"]]),
                                 freq="D", future=["f"])  # fmt: skip
    with pytest.warns(DataWarning, match="'other' has no forecast"):
        found = model.predict(one_apart)
    np.testing.assert_allclose(found.mean[0], wanted.mean[0], rtol=1e-5)


def test_lookbacks_suit_most_rows_and_newcomers_have_no_say() -> None:
    def lookback(*rows: int) -> int:
        panel = make_panel(rows, targets=1)
        return FitPart(panel, np.array(rows)).lookback("model", 60, 5)

    assert lookback(400, 400, 400) == lookback(400, 400, 400, 3) == lookback(5, 400, 9, 9) == 60
    assert lookback(45, 50, 55) == lookback(45, 50, 55, 6, 8) == 22
    assert lookback(*[40] * 30, *[90] * 15) == 40  # nine tenths of the rows can be forecast


def test_folds_lie_where_some_series_lives() -> None:
    panel = panel_of("ended", "other", "later")
    plan = make_plan(panel, H, n_windows=60)
    ends = panel.first + panel.observed - 1
    for fold in plan.folds:
        assert ((panel.first <= fold.cutoff) & (fold.cutoff < ends)).any()
    assert min(fold.cutoff for fold in plan.folds) < int(panel.first.max()) - 400
