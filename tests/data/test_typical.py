"""Which series stand for the others: by name, or from the most typical to the least."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from cases import make_panel

from foretide.data.panel import Panel
from foretide.data.typical import chosen_series, typical_order
from foretide.errors import DataError


def frame(values: dict[object, np.ndarray]) -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=400)
    return pd.concat([pd.DataFrame({"unique_id": k, "ds": days[: len(y)], "y": y}) for k, y in values.items()])


def test_the_odd_ones_are_last_and_one_in_the_middle_first() -> None:
    rng = np.random.default_rng(0)
    usual = {f"s{k}": (10 + k) * (1 + 0.1 * rng.normal(size=200)) for k in range(9)}
    odd = {"huge": 1e6 * (1 + 2 * rng.random(200)), "zero": np.r_[np.zeros(39), 1.0]}
    panel = Panel.from_frame(frame({**odd, **usual}))
    order = [panel.series[k] for k in typical_order(panel)]
    assert set(order[-2:]) == {"huge", "zero"}
    assert order[0] in {"s2", "s3", "s4", "s5", "s6"}


def test_a_series_without_a_value_is_last() -> None:
    panel = make_panel((50, 50, 50))
    panel.values[50:100] = np.nan
    assert typical_order(panel)[-1] == 1


def test_few_series_keep_their_order_and_many_are_spread() -> None:
    assert chosen_series(make_panel((20, 30), targets=2)) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    panel = make_panel((60,) * 10)
    chosen, order = chosen_series(panel, None, 3), typical_order(panel)
    assert [i for i, _ in chosen] == [order[0], order[4], order[9]]


def test_names_are_series_entities_or_numbers() -> None:
    panel = make_panel((20, 30), targets=2)
    assert chosen_series(panel, "shop1/y0") == [(1, 0)]
    assert chosen_series(panel, ["shop1", "shop1/y0"]) == [(1, 0), (1, 1)]
    assert chosen_series(make_panel((20,), targets=2), "y1") == [(0, 1)]
    numbered = Panel.from_frame(frame({7: np.arange(30.0), 8: np.arange(30.0)}))
    assert chosen_series(numbered, 8) == chosen_series(numbered, [8]) == [(1, 0)]
    with pytest.raises(DataError, match=r"no series 'shop7'. .*'shop1'"):
        chosen_series(panel, "shop7")
