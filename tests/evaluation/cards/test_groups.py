from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from cases import make_panel, times

from foretide.errors import ConfigError
from foretide.evaluation.cards.scorecard import Scorecard
from foretide.evaluation.cards.tidy import tidy_frame
from foretide.evaluation.metrics.table import METRICS
from foretide.evaluation.score import score
from foretide.forecasters.simple.baselines import Drift, Persistence

H = 5


def scored() -> Scorecard:
    panel = make_panel((100, 96, 90), targets=2, first=(0, 0, 4), missing=0.05)
    cutoffs = times(panel, [70, 78, 80, 84])
    return score([m.fit(panel, until=cutoffs[0]).predict(panel, cutoffs) for m in (Persistence(H), Drift(H))], season=7)


def tidy(scores: Scorecard) -> pd.DataFrame:
    """The points with every grouping as a column, worked out from the tidy frame alone."""
    frame = tidy_frame(scores)
    parts = frame["unique_id"].str.split("/", expand=True)
    return frame.assign(
        entity=parts[0], target=parts[1], weekday=frame["ds"].dt.day_name().str[:3],
        weekend=frame["ds"].dt.day_of_week >= 5, month=frame["ds"].dt.month, day=frame["ds"].dt.day,
        quarter=frame["ds"].dt.quarter, year=frame["ds"].dt.year, week=frame["ds"].dt.isocalendar().week,
        hour=0, minute=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    "by",
    [
        "unique_id", "series", "h_step", "cutoff", "entity", "target", "weekday", "weekend", "month", "day", "quarter",
        "year", "week", "hour", "minute", ["h_step", "weekday"], ["entity", "cutoff", "target"],
        ("unique_id", "h_step"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("metric", ["rmse", "mae"])
def test_every_grouping_agrees_with_pandas(by: str | list[str], metric: str) -> None:
    scores = scored()
    keys = ["unique_id" if k == "series" else k for k in ([by] if isinstance(by, str) else by)]
    table = scores.scores(metric, by=by).set_index(keys)
    groups = tidy(scores).groupby(keys)
    assert len(groups) == table["Drift"].notna().sum() > 0
    for key, part in groups:
        for model in ("Persistence", "Drift"):
            expected = METRICS[metric](part["y"].to_numpy(), part[model].to_numpy())
            found = table.loc[key if len(keys) > 1 else key[0], model]
            assert float(found) == pytest.approx(expected, rel=1e-12)


def test_buckets() -> None:
    scores = scored()
    assert scores.scores("mae", by="bucket")["bucket"].tolist() == ["dense"]
    both = scores.scores("mae", by=["bucket", "h_step"])
    np.testing.assert_allclose(both["Drift"], scores.by_step("mae")["Drift"])


def test_no_grouping_is_one_row_and_the_main_metric_by_default() -> None:
    scores = scored()
    assert scores.scores().iloc[0].to_dict() == {m: scores.value(m, "rmse") for m in scores.forecasts}


def test_unknown_groupings() -> None:
    scores = scored()
    with pytest.raises(ConfigError, match="There is no grouping 'weekdays'. Did you mean 'weekday'"):
        scores.scores("mae", by="weekdays")
    with pytest.raises(ConfigError, match="each once"):
        scores.scores("mae", by=["h_step", "h_step"])
