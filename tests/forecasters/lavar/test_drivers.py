from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import make_panel

import foretide as ft
from foretide.data.panel import Panel
from foretide.data.windows import Windows
from foretide.errors import DataError
from foretide.forecasters.lavar.drivers import FARTHEST, KNOTS, Drivers, known_numbers

H = 7


def priced(seed: int = 0, *, elasticity: float = -2.0, items: int = 6, days: int = 400, ahead: int = H) -> pd.DataFrame:
    """Daily counts of items whose price changes now and then; known a week ahead."""
    rng, ds = np.random.default_rng(seed), pd.date_range("2022-01-03", periods=days + ahead)
    rows = []
    for k in range(items):
        usual = 2.0 * 1.7**k
        cut = np.repeat(rng.random(-(-len(ds) // 5)) < 0.3, 5)[: len(ds)]
        price = np.round(usual * np.where(cut, 0.7, 1.0) * np.exp(0.03 * rng.normal(size=len(ds))), 2)
        y = rng.poisson(12 * (price / usual) ** elasticity * (1 + 0.5 * (np.arange(len(ds)) % 7 == 5))).astype(float)
        y[days:] = np.nan
        rows.append(pd.DataFrame({"unique_id": f"item{k}", "ds": ds, "y": y, "price": price, "day": ds.dayofweek}))
    return pd.concat(rows, ignore_index=True)


def panel_of(frame: pd.DataFrame, future: tuple[str, ...] = ("price",)) -> Panel:
    return Panel.from_frame(frame[["unique_id", "ds", "y", *future]], freq="D", future=list(future))


def lavar(**settings: Any) -> ft.LAVAR:
    return ft.LAVAR(H, order=3, latent=2, epochs=0, head_epochs=0, **settings)


def error(model: ft.LAVAR, frame: pd.DataFrame, future: tuple[str, ...] = ("price",)) -> float:
    panel = panel_of(frame, future)
    model.fit(panel, until="2022-12-01")
    found = model.predict(panel, pd.date_range("2022-12-01", periods=8, freq="7D"), levels=())
    return float(np.nanmean((found.mean - found.truth()) ** 2))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_prices_explain_what_they_cause(seed: int) -> None:
    frame = priced(seed)
    plain, rich = lavar(effects=False), lavar()
    assert error(rich, frame) < 0.6 * error(plain, frame)
    effects = rich._parts().effects
    assert effects is not None
    assert effects.drivers is not None
    assert effects.drivers.columns == ("price",)
    assert effects.drivers.logs.all()
    row = rich.gates().set_index("part").loc["known numbers"]
    assert row["kept"]
    assert row["gain"] > 0.3
    table = rich.choices()
    assert set(table.loc[table["setting"] == "known numbers", "value"]) == {"price"}
    assert set(table.loc[table["setting"] == "latent effects", "value"]) <= {"yes", "no"}


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_prices_that_cause_nothing_do_next_to_no_harm(seed: int) -> None:
    frame = priced(seed, elasticity=0.0)
    assert error(lavar(), frame) < 1.02 * error(lavar(effects=False), frame)


def test_demand_that_rises_with_heat_and_with_cold() -> None:
    rng, days = np.random.default_rng(0), pd.date_range("2021-01-01", periods=730)
    heat = 15 + 10 * np.sin(2 * np.pi * np.arange(730) / 365) + 3 * rng.normal(size=730)
    y = 100 + 4 * np.abs(heat - 15) + 3 * rng.normal(size=730)
    frame = pd.DataFrame({"unique_id": "a", "ds": days, "y": y, "heat": heat})
    panel = panel_of(frame, ("heat",))
    found = {}
    for effects in (False, True):
        model = lavar(effects=effects).fit(panel, until="2022-09-30")
        forecast = model.predict(panel, pd.date_range("2022-09-30", periods=10, freq="7D"), levels=())
        found[effects] = float(np.mean((forecast.mean - forecast.truth()) ** 2))
    assert found[True] < 0.5 * found[False]


def test_a_saved_model_and_a_new_item(tmp_path: Path) -> None:
    frame = priced()
    model = lavar().fit(panel_of(frame[frame.unique_id != "item5"]))
    model.save(tmp_path / "model")
    panel = panel_of(frame)
    again = ft.load(tmp_path / "model").predict(panel, levels=())
    np.testing.assert_array_equal(again.mean, model.predict(panel, levels=()).mean)
    dear = frame.assign(price=np.where(frame.ds >= frame.ds.unique()[-H], 1.3 * frame.price, frame.price))
    more = model.predict(panel_of(dear), levels=()).mean
    assert (more[-1].mean() < 0.8 * again.mean[-1].mean()) & (more[0].mean() < 0.8 * again.mean[0].mean())


def test_the_same_cutoff_has_the_same_forecast_whatever_comes_after() -> None:
    frame = priced()
    model = lavar().fit(panel_of(frame), until="2022-12-01")
    cutoff = ["2022-12-15"]
    whole = model.predict(panel_of(frame), cutoff, levels=()).mean
    poisoned = frame.copy()
    poisoned.loc[poisoned.ds > "2022-12-15", "y"] = 1e6
    np.testing.assert_array_equal(model.predict(panel_of(poisoned), cutoff, levels=()).mean, whole)
    late = frame[frame.ds > "2022-06-01"]
    np.testing.assert_allclose(model.predict(panel_of(late), cutoff, levels=()).mean, whole, rtol=1e-9)


def test_a_price_that_is_not_known_ahead_is_asked_for() -> None:
    frame = priced()
    model = lavar().fit(panel_of(frame))
    frame.loc[frame.index[-2], "price"] = np.nan
    panel = Panel.from_frame(frame[["unique_id", "ds", "y", "price"]], freq="D", future=["price"], missing="mask")
    drivers = model._parts().effects.drivers  # type: ignore[union-attr]
    windows = Windows(np.array([5]), np.array([399]))
    with pytest.raises(DataError, match=r"Known-future column 'price' of 'item5' has no value at 2023-02-12"):
        drivers.ahead(panel, windows, np.zeros((1, H, 0)))  # type: ignore[union-attr]


def test_regressors_by_hand() -> None:
    panel = make_panel((70, 70), future=2)
    values = panel.values.copy()
    rng = np.random.default_rng(0)
    values[:, 1] = np.repeat([10.0, 30.0], 70) * np.exp(0.1 * rng.normal(size=140))
    values[:, 2] = np.arange(140) % 2
    panel = panel.with_values(values)
    z = rng.normal(size=(140, 3)) + (np.arange(140) % 7 == 2)[:, None]
    drivers = Drivers.fit(panel, ("f0", "f1"), z, (7, 30))
    assert drivers.usual.shape == (7, 3 + 2 + len(KNOTS))  # f1 has two values: a line
    assert drivers.logs.tolist() == [True, False]
    rows = drivers.rows(panel, z)
    for position in range(7):
        np.testing.assert_allclose(rows[np.arange(140) % 70 % 7 == position].mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(rows.std(axis=0), 1)
    logs = np.log(values[:, 1]).reshape(2, 70)
    own = (logs - logs.mean(axis=1, keepdims=True)).ravel()
    own = np.clip(own / np.sqrt((own**2).mean()), -FARTHEST, FARTHEST)
    by_position = own - np.array([own[np.arange(140) % 70 % 7 == p].mean() for p in range(7)])[np.arange(140) % 70 % 7]
    np.testing.assert_allclose(rows[:, 3], by_position / by_position.std(), atol=1e-9)
    windows = Windows(np.array([0, 1]), np.array([40, 60]))
    ahead = drivers.ahead(panel, windows, np.zeros((2, 5, 3)))
    np.testing.assert_allclose(ahead[0, :, 3:], rows[41:46, 3:])
    np.testing.assert_allclose(ahead[1, :, 3:], rows[131:136, 3:])
    alone = panel.take(np.array([1]))
    new = drivers.for_new(dataclasses.replace(alone, ids=("new",)))
    np.testing.assert_allclose(new.rows(dataclasses.replace(alone, ids=("new",)), z[70:])[:, 3:], rows[70:, 3:])


def test_which_columns_are_numbers() -> None:
    frame = priced().assign(promo=lambda f: (f.index % 50 == 3) * 1.0, still=lambda f: (f.index == 2441) * 1.0)
    panel = panel_of(frame, ("price", "day", "still", "promo"))
    panel = panel.head(panel.length - 1)  # in what is learned from, one is always 0
    assert known_numbers(panel, ("promo",)) == ("price", "day")
    assert known_numbers(make_panel((30,)), ()) == ()
