"""LAVAR and the calendar models in use: new series, tables that begin elsewhere, zeros, gaps, text columns."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.data.panel import Panel
from foretide.data.reading.problems import DataWarning
from foretide.errors import DataError
from foretide.forecasters.base import Forecaster
from foretide.forecasters.lavar.gates import Evidence

Make = Callable[..., Forecaster]
MODELS: dict[str, Make] = {
    "LAVAR": lambda h, **changes: ft.LAVAR(h, **{"epochs": 3, "head_epochs": 5, "head_lr": 0.01, **changes}),
    "CalendarES": lambda h, **_: ft.CalendarES(h),
    "CalendarMean": lambda h, **_: ft.CalendarMean(h),
}
each = pytest.mark.parametrize("name", MODELS)
WEEK = np.array([1.0, 0.9, 0.95, 1.1, 1.4, 1.7, 0.5])
H = 7


def shop(name: str, size: float, rows: int = 300, seed: int = 0, offset: float = 0.0) -> pd.DataFrame:
    """A weekly season, a covariate that multiplies and one promotion in twenty days, noise of a tenth."""
    rng = np.random.default_rng(seed)
    x, promo = np.cumsum(rng.normal(0, 0.1, rows)), (rng.random(rows) < 0.05).astype(float)
    y = size * WEEK[np.arange(rows) % 7] * np.exp(0.1 * x + rng.normal(0, 0.1, rows)) * (1 + 0.5 * promo) + offset
    ds = pd.date_range("2023-01-02", periods=rows)
    return pd.DataFrame({"unique_id": name, "ds": ds, "y": y, "x": x, "promo": promo})


def panel_of(*frames: pd.DataFrame, freq: Any = "D") -> Panel:
    return ft.Panel.from_frame(pd.concat(frames, ignore_index=True), past=["x"], future=["promo"], freq=freq)


def column(y: Any, name: str = "a") -> pd.DataFrame:
    ds = pd.date_range("2023-01-02", periods=len(y))
    return pd.DataFrame({"unique_id": name, "ds": ds, "y": np.asarray(y, dtype=float)})


def plain(*frames: pd.DataFrame) -> Panel:
    return ft.Panel.from_frame(pd.concat(frames, ignore_index=True), freq="D")


# ------------------------------------------------------------------ series unseen at fit
CUTOFFS = [str(t.date()) for t in pd.date_range("2023-08-15", periods=8, freq="9D")]


def relative_error(model: Forecaster, frame: pd.DataFrame, offset: float = 0.0) -> float:
    found = model.predict(panel_of(frame), CUTOFFS)
    return float(np.abs(found.mean - found.truth()).mean() / np.abs(found.truth() - offset).mean())


@each
@pytest.mark.parametrize("offset", [0.0, -300.0])
def test_a_new_shop_is_forecast_nearly_as_well_as_the_old_ones(name: str, offset: float) -> None:
    shops = [shop(k, size, seed=s, offset=offset) for s, (k, size) in enumerate([("A", 50), ("B", 100), ("C", 400)])]
    new = shop("D", 230, seed=9, offset=offset)
    model = MODELS[name](H).fit(panel_of(*shops), until="2023-08-14")
    old = np.mean([relative_error(model, own, offset) for own in shops])
    naive = relative_error(ft.SeasonalNaive(H).fit(panel_of(*shops), until="2023-08-14"), new, offset)
    found = relative_error(model, new, offset)
    assert found < 1.25 * old
    assert found < naive
    if model.has_distribution:
        forecast = model.predict(panel_of(new), CUTOFFS, levels=(80,))
        assert forecast.quantiles is not None
        truth = forecast.truth()
        inside = (truth >= forecast.quantile(0.1)) & (truth <= forecast.quantile(0.9))
        assert 0.6 < inside.mean() < 0.97


@each
def test_new_and_old_series_in_one_table_and_several_origins(name: str, tmp_path: Path) -> None:
    shops = [shop(k, size, seed=s) for s, (k, size) in enumerate([("A", 50), ("B", 100)])]
    new = shop("D", 230, rows=120, seed=9)
    model = MODELS[name](H).fit(panel_of(*shops), until="2023-06-30")
    cutoffs = ["2023-04-10", "2023-04-20"]
    together = model.predict(panel_of(new, *shops), cutoffs).to_frame()
    apart = model.predict(panel_of(*shops), cutoffs).to_frame()
    alone = model.predict(panel_of(new), cutoffs).to_frame()
    key = ["unique_id", "cutoff", "ds"]
    expected = pd.concat([apart, alone]).set_index(key).sort_index()
    pd.testing.assert_frame_equal(together.set_index(key).sort_index(), expected, rtol=1e-6)
    # What came after an origin is not looked at.
    poisoned = new.assign(y=new["y"].where(new["ds"] <= "2023-04-20", 1e6))
    late = model.predict(panel_of(poisoned), cutoffs[1:]).to_frame()
    pd.testing.assert_frame_equal(late, alone[alone["cutoff"] == late["cutoff"][0]].reset_index(drop=True), rtol=1e-6)
    model.save(tmp_path / "model")
    pd.testing.assert_frame_equal(ft.load(tmp_path / "model").predict(panel_of(new), cutoffs).to_frame(), alone)


@each
def test_one_fitted_series_and_a_much_larger_new_one(name: str) -> None:
    model = MODELS[name](H).fit(panel_of(shop("A", 10)), until="2023-08-14")
    assert relative_error(model, shop("B", 10_000, seed=3)) < 0.25


def test_recipes_of_new_series_are_those_that_weigh_most() -> None:
    from foretide.forecasters.lavar.recipe_choice import most_taken

    picks = np.array([[[3, 1]], [[2, 3]], [[3, 0]]])
    weights = np.array([[[0.6, 0.4]], [[0.7, 0.3]], [[0.9, 0.1]]])
    found, share = most_taken(picks, weights, 5)
    assert found.tolist() == [[3, 2]]
    np.testing.assert_allclose(share, [[1.8 / 2.5, 0.7 / 2.5]])


def test_covariates_of_a_new_series_lean_on_the_fitted_ones_and_targets_do_not() -> None:
    from foretide.forecasters.lavar.heads import like_fitted
    from foretide.training.prepare import Preparation

    shops = panel_of(*[shop(str(s), 50, seed=s) for s in range(4)])
    fitted = Preparation.fit(shops, None)
    new = panel_of(shop("new", 5000, rows=20, seed=8))
    own = fitted.for_new(new)
    found = like_fitted(own, fitted, new)
    np.testing.assert_array_equal(found.location[:, 0], own.location[:, 0])
    np.testing.assert_array_equal(found.scale[:, 0], own.scale[:, 0])
    low, high = np.sort([own.location[0, 1], fitted.location[:, 1].mean()])
    assert low < found.location[0, 1] < high
    still = replace(own, scale=np.ones_like(own.scale))
    usual = np.exp(np.log(fitted.scale[:, 1]).mean())
    np.testing.assert_allclose(like_fitted(still, fitted, new).scale[0, 1], usual)


# ------------------------------------------------------------------ absolute time
def _naive(rows: int) -> pd.DatetimeIndex:
    return pd.date_range("2023-01-04", periods=rows)


def _zoned(rows: int) -> pd.DatetimeIndex:
    return pd.date_range("2023-03-16", periods=rows, freq="h", tz="Europe/Berlin")


def _counted(rows: int) -> Any:
    return np.arange(100, 100 + 2 * rows, 2)


TIMES: dict[str, tuple[Any, Any, int]] = {
    "naive": (_naive, "D", 260), "zone": (_zoned, "h", 24 * 24), "integer": (_counted, 2, 260)
}  # fmt: skip


def timed(kind: str) -> list[pd.DataFrame]:
    make, _, rows = TIMES[kind]
    ds = make(rows)
    return [shop(f"s{k}", 20 * (k + 1), rows, seed=k).assign(ds=ds) for k in range(4)]


@each
@pytest.mark.parametrize(("kind", "covariates"), [("naive", True), ("zone", True), ("zone", False), ("integer", True)])
def test_the_same_cutoff_has_the_same_forecast_in_every_table(
    name: str, kind: str, covariates: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Effects of the targets' own history would not stay here; their forecasts are looked at all the same.
    monkeypatch.setattr(Evidence, "speaks_for", lambda *_: True)
    frames, freq = timed(kind), TIMES[kind][1]

    def table(*own: pd.DataFrame) -> Panel:
        whole = pd.concat(own, ignore_index=True)
        return ft.Panel.from_frame(whole, past=["x"] if covariates else [], future=["promo"], freq=freq)

    calendar: dict[str, Any] = {"calendar": None, "seasons": (7,)} if kind == "integer" else {}
    begun = [f.iloc[10:] for f in frames[:3]]
    end = int(0.8 * len(frames[0]))
    model = MODELS[name](5, **calendar).fit(table(*[f.iloc[10:end] for f in frames[:3]]))
    if name == "LAVAR":
        assert model._parts().effects is not None  # type: ignore[attr-defined]
    cutoffs = [frames[0]["ds"].iloc[-k] for k in (6, 9, 31)]
    key = ["unique_id", "cutoff", "ds"]
    expected = model.predict(table(*begun), cutoffs, levels=(80,)).to_frame().set_index(key)
    model.save(tmp_path / "model")
    model = ft.load(tmp_path / "model")
    tables = {
        "without its first rows": [f.iloc[15:] for f in frames[:3]],
        "its last rows only": [f.iloc[end - 3 :] for f in frames[:3]],
        "what came after the fit": [f.iloc[end:] for f in frames[:3]],
        "begun earlier": frames[:3],
        "fewer series": begun[1:2],
        "more series": [frames[3].iloc[10:], *begun],
        "another order": begun[::-1],
    }
    for what, own in tables.items():
        found = model.predict(table(*own), cutoffs, levels=(80,)).to_frame().set_index(key)
        both = expected.join(found, rsuffix="_found", how="inner")
        assert len(both) == (len(expected) // 3 if what == "fewer series" else len(expected)), what
        for c in expected.columns:
            np.testing.assert_allclose(both[f"{c}_found"], both[c], rtol=1e-5, atol=2e-4, err_msg=f"{what}: {c}")


def test_another_process_knows_the_rows_that_were_fitted_on(tmp_path: Path) -> None:
    frame = shop("A", 50).drop(columns=["x", "promo"])
    frame.iloc[290:].to_csv(tmp_path / "late.csv", index=False)
    code = (
        "import sys, foretide as ft, pandas as pd\n"
        "p = ft.Panel.from_frame(pd.read_csv('late.csv', parse_dates=['ds']), freq='D')\n"
        "for name in sys.argv[1:]: print(*(repr(float(v)) for v in ft.load(name).predict(p).mean.ravel()))"
    )
    models = {name: make(H).fit(plain(frame.iloc[:292])) for name, make in MODELS.items()}
    for name, model in models.items():
        model.save(tmp_path / name)
    out = subprocess.run(
        [sys.executable, "-c", code, *models], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    for line, model in zip(out.stdout.splitlines(), models.values(), strict=True):
        found = [float(v) for v in line.split()]
        np.testing.assert_allclose(found, model.predict(plain(frame)).mean.ravel(), rtol=1e-5)


# ------------------------------------------------------------------ short and staggered
def test_lags_are_as_many_as_most_series_bear(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    panel = plain(*[column(rng.gamma(2.0, 5.0, 18), f"s{k:02}") for k in range(30)])
    with pytest.warns(DataWarning, match=r"LAVAR takes 3 lags instead of 7: half of the series have at most 12 rows"):
        model = ft.LAVAR(6, epochs=2, head_epochs=2).fit(panel)
    assert model.min_history == 3
    assert model.order == 7
    found = model.predict(panel)
    assert np.isfinite(found.mean).all()
    model.save(tmp_path / "short")
    again = ft.load(tmp_path / "short")
    assert again.min_history == 3
    np.testing.assert_array_equal(again.predict(panel).mean, found.mean)
    with pytest.raises(
        DataError, match=r"LAVAR with h=30 needs a series of at least 32 rows, .* 18 .*Lower h, or give"
    ):
        ft.LAVAR(30).fit(panel)


def test_lives_that_do_not_overlap() -> None:
    rng = np.random.default_rng(1)
    lives = [column(rng.gamma(2.0, 5.0, rows), f"s{k}") for k, rows in enumerate((90, 60, 3, 1))]
    for k, own in enumerate(lives):
        own["ds"] += pd.Timedelta(days=100 * k)
    for make in MODELS.values():
        model = make(5).fit(plain(*lives))
        found = model.predict(plain(*lives))
        assert len(found.mean) == 4
        assert np.isfinite(found.mean).all()
        if found.quantiles is not None:
            assert np.isfinite(found.quantiles).all()
            assert (np.diff(found.quantiles, axis=-1) >= 0).all()


LEAGUE = Path(__file__).resolve().parents[4] / "shared/data/league"


@pytest.mark.skipif(not LEAGUE.is_dir(), reason="the league's data lie beside the repository, in ../shared")
@pytest.mark.parametrize("task", ["auto_parts", "tourism_yearly", "m3_yearly", "antibiotics", "m3_monthly"])
@pytest.mark.filterwarnings("ignore::foretide.data.reading.problems.DataWarning")
def test_every_series_of_a_public_table_gets_an_answer(task: str) -> None:
    tasks = pd.read_csv(LEAGUE / "tasks.csv").set_index("task")
    h, freq = int(tasks.loc[task, "h"]), tasks.loc[task, "freq"]
    whole = pd.read_parquet(LEAGUE / f"{task}.parquet")
    some = whole[whole["unique_id"].isin(whole["unique_id"].unique()[::20])]
    before = some.drop(some.groupby("unique_id").tail(h).index)
    panel = ft.Panel.from_frame(before, freq=freq)
    for name in MODELS:
        found = MODELS[name](h).fit(panel).predict(panel)
        assert len(found.mean) == panel.n_entities
        assert np.isfinite(found.mean).all()
        if found.quantiles is not None:
            assert np.isfinite(found.quantiles).all()
            assert (np.diff(found.quantiles, axis=-1) >= 0).all()


# ------------------------------------------------------------------ zeros
@pytest.mark.parametrize("base", ["last", "season"])
@pytest.mark.parametrize("heads", [{}, {"heads": ("nb",) * 3}, {"heads": ("zinb",) * 3}])
def test_a_last_value_of_zero_is_left(base: str, heads: Any) -> None:
    y = np.random.default_rng(1).poisson(5, 400)
    y[-1 if base == "last" else -7] = 0
    short = {"head_epochs": 20, **heads} if heads else {}
    found = ft.LAVAR(H, base=base, **short).fit(plain(column(y))).predict(plain(column(y)), levels=(80,))
    step = -1 if base == "last" else 0
    assert found.mean[0, step, 0] > 0.8
    assert found.mean.max() < 15
    assert found.quantile(0.9)[0, step, 0] >= 2


@each
@pytest.mark.parametrize("alone", [True, False])
def test_a_series_silent_at_fit_wakes_up(name: str, alone: bool) -> None:
    rng = np.random.default_rng(2)
    silent = np.zeros(400)
    silent[-28:] = rng.poisson(10, 28)
    frames = [column(silent, "b"), *([] if alone else [column(rng.poisson(8, 400), "a"), column(np.zeros(400), "c")])]
    model = MODELS[name](H).fit(plain(*frames), until="2024-01-05")
    found = model.predict(plain(*frames))
    where = found.windows.entity == plain(*frames).entity("b")
    mean = found.mean[where]
    assert 5 < mean.mean() < 18
    assert mean.max() < 30
    if not alone:
        assert not found.mean[found.windows.entity == plain(*frames).entity("c")].any()
    if found.quantiles is not None:
        bounds = found.quantiles[where]
        assert (bounds[..., 0] <= mean).all()
        assert (bounds[..., -1] > mean).all()
        assert bounds.max() < 150


def test_one_sale_of_a_series_silent_at_fit_is_no_level() -> None:
    rng = np.random.default_rng(3)
    rare = (rng.random((400, 6)) < 0.02).astype(float)
    silent = np.zeros(400)
    silent[395] = 1.0
    frames = [column(silent, "new"), *[column(rare[:, k], f"s{k}") for k in range(6)]]
    panel = plain(*frames)
    found = ft.CalendarES(H).fit(panel, until="2024-01-05").predict(panel)
    assert found.mean[panel.entity("new")].max() < 0.8


# ------------------------------------------------------------------ columns known ahead
@each
def test_gaps_in_the_past_of_a_known_column_are_no_error_and_in_the_horizon_they_are(name: str) -> None:
    frame = shop("A", 50)
    frame["price"] = np.where(np.arange(300) < 40, np.nan, 5.0 + (np.arange(300) // 60))
    frame.loc[[70, 120, 121], "promo"] = np.nan
    frame.loc[293:, "y"] = np.nan
    panel = ft.Panel.from_frame(frame, past=["x"], future=["price", "promo"], freq="D", missing="mask")
    model = MODELS[name](H).fit(panel)
    assert np.isfinite(model.predict(panel).mean).all()
    frame.loc[296, "promo"] = np.nan
    holed = ft.Panel.from_frame(frame, past=["x"], future=["price", "promo"], freq="D", missing="mask")
    expected = r"Known-future column 'promo' of 'A' has no value at 2023-10-25.*Add rows with its values"
    with pytest.raises(DataError, match=expected):
        model.predict(holed)


def with_events(rows: int = 500, by_hand: bool = False) -> tuple[Panel, pd.Series]:
    """Payday on the 1st adds 20, delivery on every 17th day takes 8 away."""
    ds = pd.date_range("2022-01-01", periods=rows)
    kinds = np.where(ds.day == 1, "payday", np.where(np.arange(rows) % 17 == 5, "delivery", "none"))
    event = pd.Series(kinds, index=ds)
    noise = np.random.default_rng(4).normal(0, 1, rows)
    frame = pd.DataFrame(
        {"unique_id": "a", "ds": ds, "y": 12 + noise + 20 * (kinds == "payday") - 8 * (kinds == "delivery")}
    )
    labels = ("delivery", "none", "payday")
    if by_hand:
        columns = {f"event={label}": (kinds == label).astype(float) for label in labels}
        frame = frame.assign(**columns)
        return ft.Panel.from_frame(frame, future=list(columns), freq="D"), event
    frame["event"] = [float(labels.index(k)) for k in kinds]
    return replace(ft.Panel.from_frame(frame, future=["event"], freq="D"), categories={"event": labels}), event


@each
@pytest.mark.parametrize("by_hand", [True, False])
def test_events_named_in_a_text_column(name: str, by_hand: bool) -> None:
    panel, event = with_events(by_hand=by_hand)
    model = MODELS[name](28).fit(panel, until="2023-03-20")
    found = model.predict(panel, ["2023-03-20", "2023-04-15"]).to_frame()
    kind = found["ds"].map(event)
    means = found.groupby(kind)[model.name].mean() - found[model.name][kind == "none"].mean()
    assert means["payday"] == pytest.approx(20, abs=3)
    assert means["delivery"] == pytest.approx(-8, abs=2)


def test_categories_are_events_where_one_state_is_the_usual_one() -> None:
    from foretide.data.indicators import Indicators
    from foretide.data.time.events import Events

    panel, _ = with_events()
    seen, _ = Indicators.learn(panel).apply(panel)
    assert seen.indicators == {"event": ("event=delivery", "event=none", "event=payday")}
    assert Events.find(seen).columns == ("event=delivery", "event=payday")
    # More than a fifth of the days, which a number column would have to be rarer than.
    codes = np.arange(500) % 10
    often = panel.with_values(np.column_stack([panel.values[:, 0], np.where(codes < 3, 0, np.where(codes < 9, 1, 2))]))
    assert Events.find(Indicators.learn(often).apply(often)[0]).columns == ("event=delivery", "event=payday")
    # Where no state is the usual one, as with names of weekdays, none is an event.
    even = panel.with_values(np.column_stack([panel.values[:, 0], np.arange(500) % 3]))
    assert Events.find(Indicators.learn(even).apply(even)[0]).columns == ()
