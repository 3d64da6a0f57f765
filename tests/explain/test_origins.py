"""Cutoffs that a model is explained at."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.errors import DataError
from foretide.explain import origins
from foretide.explain.origins import Origins


def fitted(until: int | None) -> tuple[ft.Ridge, ft.Panel]:
    times = pd.date_range("2024-01-01", periods=200, freq="D")
    frames = [pd.DataFrame({"unique_id": k, "ds": times, "y": np.sin(np.arange(200.0))}) for k in "abc"]
    panel = ft.Panel.from_frame(pd.concat(frames))
    end = None if until is None else times[until]
    return ft.Ridge(h=5, input_size=10).fit(panel, until=end), panel


def test_windows_after_the_fit_where_there_are_enough() -> None:
    model, panel = fitted(99)
    found = Origins.of(model, panel)
    assert found.steps.tolist() == list(range(99, 195))
    assert found.about(1000) == "after what the model was fitted on"
    cutoffs = found.cutoffs(1000)
    assert cutoffs is not None
    assert cutoffs[0] == pd.Timestamp("2024-04-09")


def test_the_whole_panel_where_the_model_has_seen_nearly_all() -> None:
    model, panel = fitted(190)  # five cutoffs of three entities are left
    found = Origins.of(model, panel)
    assert found.steps.tolist() == list(range(9, 195))
    assert found.about(1000) == "of the whole panel, those it learned from among them"


def test_fewer_cutoffs_of_many_entities(monkeypatch: pytest.MonkeyPatch) -> None:
    model, panel = fitted(99)
    found = Origins.of(model, panel)
    assert found.about(20) == "after what the model was fitted on, at 20 cutoffs evenly spread"
    chosen = found.cutoffs(20)
    assert chosen is not None
    assert (len(chosen), chosen[-1]) == (20, pd.Timestamp("2024-01-01") + pd.Timedelta(days=194))
    monkeypatch.setattr(origins, "MOST_WINDOWS", 3 * 70)
    assert found.about(1000).endswith("at 70 cutoffs evenly spread")
    monkeypatch.setattr(origins, "MOST_WINDOWS", 3 * 10)
    assert found.about(1000).endswith("at 60 cutoffs evenly spread")  # tests need as many


def test_no_window_at_all() -> None:
    model, panel = fitted(99)
    short = panel.until(pd.Timestamp("2024-01-08"))
    with pytest.raises(DataError, match="No window fits: 10 rows up to a cutoff and 5 after it are needed"):
        Origins.of(model, short)
