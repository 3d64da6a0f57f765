"""Requests of a service that are forecast in one call get what each would have got by itself, of every forecaster."""

from __future__ import annotations

import numpy as np
import pytest
from cases import CASES
from served import records, sales

from foretide.data.panel import Panel
from foretide.forecasters.table import FORECASTERS
from foretide.serving.asked import Asked, Settings
from foretide.serving.forecasting import forecast_all
from foretide.serving.limits import Limits
from foretide.serving.models import Served
from foretide.serving.tables import columns_of

WHOLE = sales().round()
TABLES = [
    WHOLE[WHOLE["unique_id"] == "north"][:100], WHOLE[WHOLE["unique_id"] == "north"][5:93],
    WHOLE[WHOLE["unique_id"] == "south"][20:110].assign(unique_id="new"),
    WHOLE[WHOLE["unique_id"] == "north"][:60].assign(unique_id="new"),
]  # fmt: skip
"""One series twice up to other times, and two of one name that nobody knows."""


@pytest.mark.parametrize("case", [*FORECASTERS, "Conformal-adaptive"])
def test_together_is_one_by_one(case: str) -> None:
    served, limits = Served("m", "1", CASES[case](3).fit(Panel.from_frame(WHOLE)), b""), Limits()
    requests = [Asked.of(served, Settings(), columns_of(records(frame), None, limits), limits) for frame in TABLES]
    assert (requests[0].key is None) == served.model.reads_others
    if served.model.reads_others:
        return
    for request, together in zip(requests, forecast_all(requests), strict=True):
        (alone,) = forecast_all([request])
        assert together.shared == len(TABLES)
        assert together.answer is not None
        assert alone.answer is not None
        for one, other in zip(alone.answer["forecasts"], together.answer["forecasts"], strict=True):
            assert one["times"] == other["times"]
            assert one.get("note") == other.get("note")
            bounds = [
                [row["mean"], *(x for own in row["intervals"].values() for x in own.values())] for row in (one, other)
            ]
            np.testing.assert_allclose(np.array(bounds[0]), np.array(bounds[1]), rtol=1e-6, atol=1e-6)
