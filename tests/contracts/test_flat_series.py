"""Constant series of any size, also beside a target that is never observed, are fitted, forecast and drawn from."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from cases import CASES

from foretide.data.panel import Panel

H, DAYS = 3, 60
MORE = ("LSTM-student_t", "Conformal-network", "Conformal-distribution")
"""Beside the table itself: they hung on the rounding of large constant values."""


@cache
def flat() -> Panel:
    """Return four series of two targets: constant, constant and large, large beside counts, and nothing but zeros."""
    ds, empty = pd.date_range("2024-01-01", periods=DAYS), np.full(DAYS, np.nan)
    counts = np.random.default_rng(0).poisson(5, DAYS).astype(float)
    columns = {
        "a": (np.full(DAYS, 5.0), empty), "b": (np.full(DAYS, 1e15), np.full(DAYS, 7.0)),
        "c": (np.full(DAYS, 1e15), counts), "d": (np.zeros(DAYS), empty),
    }  # fmt: skip
    parts = [pd.DataFrame({"unique_id": name, "ds": ds, "y": y, "z": z}) for name, (y, z) in columns.items()]
    return Panel.from_frame(pd.concat(parts), target=["y", "z"], missing="mask", freq="D")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", [case for case in CASES if "-" not in case or case in MORE])
def test_flat_series_are_forecast(case: str) -> None:
    panel = flat()
    found = CASES[case](H).fit(panel).predict(panel, levels=(80,))
    seen = np.array([[True, False], [True, True], [True, True], [True, False]])
    at = np.broadcast_to(seen[found.windows.entity][:, None], found.mean.shape)
    assert np.isfinite(found.mean[at]).all()
    assert found.quantiles is not None
    assert np.isfinite(found.quantiles[at]).all()
    drawn = np.asarray(found.sample(3, seed=1))
    assert np.isfinite(np.moveaxis(drawn, 1, -1)[at]).all()
