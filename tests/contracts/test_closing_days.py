"""Where a known-ahead column says what it only ever said of days without business, every forecast is zero."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import CASES, ONE_EACH

import foretide as ft
import foretide.forecasters.artifact as artifact

DAYS, H = 140, 7
SHUT = np.array([9, 24, 46, 47, 67, 83, 99, 118, 130, DAYS + 2, DAYS + 5])
"""Days closed out of turn, the last two of them ahead."""


def shops(sold: float = 0.0) -> pd.DataFrame:
    """Counts of two shops that share their closing days; ``sold`` on one of these."""
    rng, ds = np.random.default_rng(0), pd.date_range("2023-01-02", periods=DAYS + H)
    closed = np.isin(np.arange(DAYS + H), SHUT)
    rows = []
    for name, rate in (("a", 6.0), ("b", 12.0)):
        y = np.where(closed, 0.0, 1.0 + rng.poisson(rate, DAYS + H))
        y[SHUT[3]] = sold
        y[DAYS:] = np.nan
        rows.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": y, "closed": closed * 1.0}))
    return pd.concat(rows, ignore_index=True)


def panel_of(frame: pd.DataFrame, column: str = "closed") -> ft.Panel:
    return ft.Panel.from_frame(frame, freq="D", future=[column])


@pytest.mark.parametrize("case", ONE_EACH)
def test_every_forecaster_is_zero_on_closing_days(case: str, tmp_path: Path) -> None:
    panel = panel_of(shops())
    model = CASES[case](H).fit(panel)
    found = model.predict(panel, levels=(80,))
    closed = np.isin(np.arange(DAYS, DAYS + H), SHUT)
    assert found.quantiles is not None
    assert (found.mean[:, closed] == 0).all()
    assert (found.quantiles[:, closed] == 0).all()
    assert (found.mean[:, ~closed] > 0).all()
    assert any(note.kind == "closed" for note in found.notes)
    assert not any("closed" in note.columns for note in found.notes)  # it is used
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(artifact.load(tmp_path / "model").predict(panel, levels=(80,)).mean, found.mean)


@pytest.mark.parametrize("name", ["SeasonalNaive", "CalendarES"])
def test_one_sale_on_such_a_day_and_it_is_none(name: str) -> None:
    panel = panel_of(shops(sold=1.0))
    found = getattr(ft, name)(H).fit(panel).predict(panel)
    assert not any(note.kind == "closed" for note in found.notes)
    assert found.quantiles is not None
    assert found.quantiles[:, [2, 5]].max() > 0


LAYOUTS: dict[str, Any] = {
    "open": lambda closed: 1.0 - closed,
    "minus one": lambda closed: -1.0 * closed,
    "words": lambda closed: np.where(closed > 0, "shut", "business as usual"),
    "empty": lambda closed: pd.Series(np.where(closed > 0, "shut", None), dtype=object),
    "true": lambda closed: closed > 0,
    "among others": lambda closed: np.where(closed > 0, 2.0, np.arange(len(closed)) % 10 == 3),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["WindowMean", "CalendarES"])
def test_however_it_is_said(name: str, layout: str) -> None:
    frame = shops()
    frame["day"] = LAYOUTS[layout](frame.pop("closed").to_numpy())
    panel = panel_of(frame, "day")
    found = getattr(ft, name)(H).fit(panel).predict(panel)
    np.testing.assert_array_equal(found.mean == 0, np.broadcast_to(np.isin(np.arange(DAYS, DAYS + H), SHUT)[:, None],
                                                                    found.mean.shape))  # fmt: skip


@pytest.mark.parametrize("text", [False, True])
def test_a_table_of_next_week_alone_closes_as_well(text: bool) -> None:
    frame = shops()
    frame["closed"] = np.where(frame.closed > 0, "yes", "no") if text else frame.closed
    model = ft.CalendarES(H).fit(panel_of(frame[frame.ds < frame.ds.unique()[DAYS]]))
    ahead = frame[frame.ds >= frame.ds.unique()[DAYS]]
    found = model.predict(ahead)
    assert (found.mean[:, [2, 5]] == 0).all()
    assert (found.mean[:, [0, 1, 3, 4, 6]] > 0).all()


def test_weekends_among_the_closing_days_leave_the_rest_of_the_week_alone() -> None:
    """A column that says closed of every Sunday, too, tells the same as one of the days out of turn."""
    frame = shops()
    frame["y"] = np.where(frame.ds.dt.weekday == 6, 0.0 * frame.y, frame.y)
    every = frame.assign(closed=np.where(frame.ds.dt.weekday == 6, 1.0, frame.closed))
    few, all_of_them = (ft.CalendarES(H, alpha=0.2).fit(panel_of(f)).predict(panel_of(f)) for f in (frame, every))
    np.testing.assert_allclose(all_of_them.mean, few.mean, atol=1e-9)
    assert (all_of_them.mean == 0).sum() == 2 * 3


def test_the_user_s_days_win_over_the_calendar_s() -> None:
    """Open on public holidays, closed on days of one's own: the calendar closes nothing."""
    rng, ds = np.random.default_rng(1), pd.date_range("2022-03-01", "2024-05-05")
    closed = rng.random(len(ds)) < 0.04
    closed[-7:] = [False, False, False, True, False, False, False]
    y = np.where(closed, 0.0, 1 + rng.poisson(9, len(ds)))
    y[-7:] = np.nan
    frame = pd.DataFrame({"unique_id": "a", "ds": ds, "y": y, "mine": closed * 1.0})
    calendar = ft.Calendar(("weekday",), country="DE")
    found = ft.CalendarES(H, calendar=calendar).fit(panel_of(frame, "mine")).predict(panel_of(frame, "mine"))
    np.testing.assert_array_equal(found.mean[0, :, 0] == 0, closed[-7:])
    assert found.mean[0, 2, 0] > 7  # the first of May


def test_public_holidays_without_business_are_closed() -> None:
    rng, ds = np.random.default_rng(2), pd.date_range("2021-01-01", periods=724)
    holiday = ft.Calendar((), "DE").values(ft.data.time.grid.Grid(ds[0], "D"), np.arange(728))[:, 0] > 0
    y = np.where(holiday[:724], 0.0, 1 + rng.poisson(9, 724))
    frame = pd.DataFrame({"unique_id": "a", "ds": ds, "y": y})  # up to Christmas Eve
    panel = ft.Panel.from_frame(frame, freq="D")
    model = ft.CalendarES(4, calendar=ft.Calendar(("weekday",), country="DE")).fit(panel)
    found = model.predict(panel)
    np.testing.assert_array_equal(found.mean[0, :, 0] == 0, holiday[724:])
    assert holiday[724:].any()
