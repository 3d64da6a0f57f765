"""Every forecaster as it comes fits tables of a little more than two horizons, and says what it made shorter for it."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foretide.data.panel import Panel
from foretide.data.reading.problems import DataWarning
from foretide.errors import DataError
from foretide.forecasters.base import Forecaster
from foretide.forecasters.table import FORECASTERS, forecaster_class

H = 6
SHORT = {
    "two horizons and two rows": (2 * H + 2, 1),
    "eighteen months": (18, 5),
    "three horizons and a row": (3 * H + 1, 5),
}
"""Rows, and series of so many."""
NETWORKS = ("LSTM", "Attention", "LAVAR", "Ridge")
SLOW = ("Auto",)


def made(name: str, h: int = H) -> Forecaster:
    """The forecaster as it comes; one that must be told what it is made of, around what the contract tests take."""
    kind = forecaster_class(name)
    try:
        return kind(h=h)
    except TypeError:
        return kind(h=h, **kind.quick)


def shop(rows: int, n: int, seed: int = 0) -> Panel:
    """Months of sparse counts."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(1.0, 2.0, n) + 0.2
    ds = pd.date_range("2021-01-01", periods=rows, freq="MS")
    parts = [pd.DataFrame({"unique_id": f"item{k}", "ds": ds, "y": rng.poisson(r, rows)}) for k, r in enumerate(rates)]
    return Panel.from_frame(pd.concat(parts), freq="MS")


def fitted(name: str, panel: Panel, **settings: Any) -> tuple[Forecaster, list[str]]:
    """The fitted forecaster, and what it warned of."""
    model = forecaster_class(name)(h=H, **settings) if settings else made(name)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model.fit(panel)
    return model, [str(w.message) for w in seen if issubclass(w.category, DataWarning)]


@pytest.mark.parametrize(("rows", "n"), SHORT.values(), ids=SHORT)
@pytest.mark.parametrize("name", [n for n in FORECASTERS if n not in SLOW])
def test_it_fits_what_there_is(name: str, rows: int, n: int) -> None:
    panel = shop(rows, n)
    model, _ = fitted(name, panel)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # stand-ins
        found = model.predict(panel)
    assert np.isfinite(found.mean).all()
    assert found.mean.shape == (n, H, 1)


@pytest.mark.parametrize("name", SLOW)
def test_slow_ones_too(name: str) -> None:
    model, _ = fitted(name, panel := shop(18, 5))
    assert np.isfinite(model.predict(panel).mean).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_it_says_what_it_made_shorter(name: str) -> None:
    asked = {"input_size": 60} if name == "Ridge" else {}  # unasked it chooses by itself, and there is nothing to say
    model, said = fitted(name, shop(18, 5), **asked)
    what = r"takes 3 lags instead of 7" if name == "LAVAR" else r"looks back at 6 steps instead of 60"
    if name == "Ridge":  # keeps steps back by folds of its own
        what = r"looks back at \d steps instead of 60"
    assert re.search(what, said[0])
    assert model.min_history < 18 - H


@pytest.mark.parametrize("name", ["LSTM", "Attention", "LAVAR"])
def test_it_says_that_nothing_is_kept_back(name: str) -> None:
    said = fitted(name, shop(2 * H + 1, 5))[1]
    assert "too short to keep steps back for validation" in said[0]
    assert "for validation" not in fitted(name, shop(3 * H, 5))[1][0]


@pytest.mark.parametrize("name", ["LSTM", "Attention", "Ridge"])
def test_a_lookback_of_ones_own_is_made_shorter_too(name: str) -> None:
    said = fitted(name, shop(18, 5), input_size=24)[1]
    assert "steps instead of 24" in said[0]


@pytest.mark.parametrize("name", ["LSTM", "Attention", "LAVAR"])
def test_too_short_for_one_window_is_said_with_the_rows_it_takes(name: str) -> None:
    with pytest.raises(DataError, match=r"\b8 rows") as raised:
        made(name).fit(shop(H + 1, 5))
    assert "7 in the training part" in str(raised.value)
