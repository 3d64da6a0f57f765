"""What every forecaster's predict takes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import make_panel

import foretide as ft
from foretide.data.reading.checks import DataWarning
from foretide.errors import ConfigError, DataError
from foretide.forecasters.classical.arima import ARIMA
from foretide.forecasters.simple.baselines import Persistence


def test_further_quantiles_come_beside_those_of_the_levels() -> None:
    panel = make_panel((60,))
    forecast = ARIMA(h=3, order=(1, 0, 0)).fit(panel).predict(panel, levels=(80,), quantiles=(0.5, 0.3, 0.1))
    assert forecast.quantile_levels == (0.1, 0.3, 0.5, 0.9)
    assert forecast.quantiles is not None
    assert (np.diff(forecast.quantiles, axis=-1) > 0).all()
    assert forecast.levels == (80,)


def test_a_model_of_points_returns_quantiles_unless_it_was_fitted_for_means_only() -> None:
    panel = make_panel((60,))
    found = Persistence(h=3).fit(panel).predict(panel, levels=(), quantiles=(0.5, 0.9))
    assert found.quantiles is not None
    assert (found.quantile(0.9) > found.quantile(0.5)).all()
    means = Persistence(h=3).fit(panel, intervals=False)
    assert means.answers_levels is False
    assert means.predict(panel).quantiles is None
    with pytest.warns(UserWarning, match=r"Persistence has no intervals: it was fitted with intervals=False\. Type: "):
        assert means.predict(panel, quantiles=(0.5,)).levels == ()


def test_a_quantile_is_a_fraction() -> None:
    panel = make_panel((60,))
    model = ARIMA(h=3, order=(1, 0, 0)).fit(panel)
    with pytest.raises(ConfigError, match="fraction between 0 and 1, got 80"):
        model.predict(panel, quantiles=(80,))


def test_what_a_fit_saw_last_and_a_fresh_copy() -> None:
    panel = make_panel((60, 50), first=(0, 4))
    model = ARIMA(h=3, order=(1, 0, 0), alias="mine")
    assert model.fitted_until is None
    model.fit(panel, until="2023-02-10")
    assert model.fitted_until == "2023-02-10 00:00:00"
    assert Persistence(h=3).fit(panel).fitted_until == str(panel.grid.times([59])[0])
    fresh = model.fresh()
    assert not fresh.is_fitted
    assert fresh.settings() == model.settings()


def test_some_windows_of_a_forecast() -> None:
    panel = make_panel((60, 50))
    forecast = (
        ARIMA(h=3, order=(1, 0, 0)).fit(panel).predict(panel, list(panel.grid.output_times([40, 45])), levels=(80,))
    )
    part = forecast.take(np.array([3, 0]))
    np.testing.assert_array_equal(part.mean, forecast.mean[[3, 0]])
    assert part.quantiles is not None
    assert forecast.quantiles is not None
    np.testing.assert_array_equal(part.quantiles, forecast.quantiles[[3, 0]])
    assert part.windows.entity.tolist() == [1, 0]
    assert part.cutoff_steps.tolist() == [45, 40]
    assert forecast.take(np.arange(4)) is forecast


def test_a_notebook_shows_the_first_origin() -> None:
    panel = make_panel((60, 50))
    forecast = Persistence(h=3, alias="<b>me</b>").fit(panel).predict(panel)
    html = forecast._repr_html_()
    assert "&lt;b&gt;me&lt;/b&gt;: 2 origins x 3 steps" in html
    assert "<b>me</b>" not in html
    assert html.count("<td>shop0</td>") == 3
    assert "shop1" not in html


# ---------------------------------------------------------------- text columns of a part of a table
def _read(frame: pd.DataFrame, roles: dict[str, Any]) -> ft.Panel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # a part of a table may hold one label only
        return ft.Panel.from_frame(frame, **roles)


def _labelled_tables() -> tuple[Any, Any, dict[str, Any]]:
    """A table with text columns whose labels look like numbers here and there, and its last rows as another file."""
    ds = pd.date_range("2024-01-01", periods=127)
    rng, made = np.random.default_rng(0), []
    for k, name in enumerate("ab"):
        event = np.where(np.arange(127) % 15 == 0, "payday", "0")
        y = 50 + 10 * k + 20 * (event == "payday") + rng.normal(size=127)
        event[115:] = "0"
        flag = (np.arange(127) % 3 == 0).astype(str)
        rows = {"unique_id": name, "ds": ds, "y": np.r_[y[:120], np.full(7, np.nan)], "event": event, "flag": flag}
        made.append(pd.DataFrame({**rows, "region": str(k + 1)}))
    frame = pd.concat(made, ignore_index=True)
    last = frame[frame.ds >= ds[115]]
    last = last.assign(event=0, flag=last.flag == "True", region=last.region.astype(int))
    return frame, last, {"future": ["event", "flag"], "static": ["region"], "missing": "mask"}


@pytest.mark.parametrize("make", [lambda: ft.Ridge(7, input_size=14), lambda: ft.CalendarES(7)])
def test_labels_that_another_file_holds_as_numbers_are_labels(make: Any) -> None:
    frame, last, roles = _labelled_tables()
    whole = _read(frame, roles)
    model = make().fit(whole)
    later = model.predict(_read(last, roles))
    np.testing.assert_allclose(later.mean, model.predict(whole).mean, atol=1e-9)
    assert "category" not in {note.kind for note in later.notes}


def test_a_text_column_that_is_empty_in_a_later_table_holds_none_of_its_labels() -> None:
    frame, last, roles = _labelled_tables()
    model = ft.Ridge(7, input_size=14).fit(_read(frame.assign(event=frame.event.replace("0", None)), roles))
    found = model.predict(_read(last.assign(event=None), roles))
    assert np.isfinite(found.mean).all()
    np.testing.assert_array_equal(found.mean, model.predict(_read(last.assign(event=""), roles)).mean)


def test_numbers_that_are_no_labels_are_refused_and_the_advice_works() -> None:
    frame, last, roles = _labelled_tables()
    model = ft.Ridge(7, input_size=14).fit(_read(frame, roles))
    last = last.assign(event=7)
    with pytest.raises(
        DataError, match=r"text in the column 'event', this panel has numbers\. Give it as text: frame"
    ) as e:
        model.predict(_read(last, roles))
    assert str(e.value).endswith("frame['event'].astype('category').")
    found = model.predict(_read(last.assign(event=last["event"].astype("category")), roles))
    assert "event: '7' was not there at fit" in found.summary()[0]
