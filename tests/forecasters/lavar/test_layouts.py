"""However a person says which days are holidays, the forecast is nearly the same."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import foretide as ft

H, DAYS, LEARNED = 14, 1095, 900
COUNTRY = ("DE", "BY")


@cache
def table() -> pd.DataFrame:
    """Half of a draw that no choice was made on: neither the densest nor the silent."""
    made = ft.synthetic.supplies(T=DAYS, n_targets=32, n_covariates=0, seed=117)
    values = made.panel.values[:, :32]
    kept = np.sort(np.argsort(values.mean(axis=0))[6:22])
    frame = pd.DataFrame(values[:, kept], columns=[made.panel.targets[k] for k in kept])
    return frame.assign(ds=pd.date_range("2019-01-01", periods=DAYS), holiday=made.panel.values[:, -1] > 0.5)


def names(holiday: np.ndarray) -> np.ndarray:
    """A word for each of eight kinds of holidays."""
    return np.where(holiday, np.char.add("feast ", (np.cumsum(holiday) % 8).astype(str)), "")


def beside(holiday: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.append(holiday[1:], False), np.insert(holiday[:-1], 0, False)


LAYOUTS: dict[str, Any] = {
    "flag": lambda h: {"holiday": 1.0 * h},
    "bool": lambda h: {"holiday": h},
    "words": lambda h: {"holiday": np.where(h, "yes", "no")},
    "names": lambda h: {"feast": names(h)},
    "open": lambda h: {"open": 1.0 - h},
    "sides": lambda h: {"holiday": 1.0 * h, "day_before": 1.0 * beside(h)[0], "day_after": 1.0 * beside(h)[1]},
    "unnamed": lambda h: {"x3": 1.0 * beside(h)[1], "x1": 1.0 * h, "x2": 1.0 * beside(h)[0]},
    "codes": lambda h: {"day": 1.0 * h + 2.0 * beside(h)[0] * ~h + 3.0 * beside(h)[1] * ~h * ~beside(h)[0]},
}


@cache
def error(model: str, layout: str | None, calendar: bool) -> float:
    frame = table()
    targets = [name for name in frame.columns if name.startswith("item")]
    columns = {} if layout is None else LAYOUTS[layout](frame["holiday"].to_numpy())
    wide = frame[["ds", *targets]].assign(**columns)
    panel = ft.Panel.from_wide(wide, time="ds", target=targets, future=list(columns))
    of_country = ft.Calendar(("weekday",), country=COUNTRY) if calendar else None
    made: Any = (
        ft.CalendarES(H, alpha=0.1, calendar=of_country) if model == "CalendarES"
        else ft.LAVAR(H, calendar=of_country, effects=False, epochs=0, head_epochs=0)
    )  # fmt: skip
    made.fit(panel, until=wide["ds"][LEARNED - 1], intervals=False)
    found = made.predict(panel, list(wide["ds"][LEARNED - 1 : DAYS - H : 5]), levels=())
    return float(np.mean((found.mean - found.truth()) ** 2))


@pytest.mark.parametrize("calendar", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("model", ["CalendarES", "LAVAR"])
def test_layouts_agree(model: str, layout: str, calendar: bool) -> None:
    assert error(model, layout, calendar) == pytest.approx(error(model, None, True), rel=0.01)


@pytest.mark.parametrize("model", ["CalendarES", "LAVAR"])
def test_holidays_are_worth_knowing(model: str) -> None:
    """What the layouts agree on is no accident: without holidays the error is larger."""
    assert error(model, None, False) > 1.01 * error(model, None, True)


def test_a_kind_never_seen_is_an_ordinary_day() -> None:
    frame = table()
    target = "item" + max(name.removeprefix("item") for name in frame.columns if name.startswith("item"))
    wide = frame[["ds", target]].assign(feast=names(frame["holiday"].to_numpy()))
    model = ft.CalendarES(H, alpha=0.1).fit(
        ft.Panel.from_wide(wide, time="ds", target=[target], future=["feast"]), until=wide["ds"][LEARNED - 1]
    )
    day = LEARNED + 2
    means = []
    for kind in ("", "feast 1", "feast of nobody"):
        later = wide.assign(
            feast=np.where(np.arange(DAYS) == day, kind, np.where(np.arange(DAYS) > day, "", wide.feast))
        )
        panel = ft.Panel.from_wide(later, time="ds", target=[target], future=["feast"])
        means.append(model.predict(panel, [wide["ds"][LEARNED - 1]], levels=()).mean[0, :, 0])
    np.testing.assert_array_equal(means[0], means[2])
    assert means[1][2] < 0.6 * means[0][2]
