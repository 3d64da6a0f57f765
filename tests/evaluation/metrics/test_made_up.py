"""What docs/adding.md promises: a metric is one file and one line, and is known everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from cases import make_panel
from documented import metric_rows

import foretide as ft
from foretide.evaluation.cards.board import column_of_board
from foretide.evaluation.metrics.metric import Metric
from foretide.evaluation.metrics.table import METRICS, metric_of, shown_metrics
from foretide.forecasters.levels import bounds_of

LOG_COSH = Metric(
    "log_cosh", "mean logarithm of the error's hyperbolic cosine", lambda s: np.log(np.cosh(s.mean - s.truth))
)
MISSED = Metric(
    "missed", "mean distance by which truths miss the central {} % interval",
    lambda s: np.maximum(s.interval[0] - s.truth, 0) + np.maximum(s.truth - s.interval[1], 0),
    quantiles=bounds_of, parameter="interval",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _one_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    for metric in (LOG_COSH, MISSED):
        monkeypatch.setitem(METRICS, metric.name, metric)


@pytest.fixture
def card() -> ft.Scorecard:
    models = [ft.SeasonalES(h=3), ft.SeasonalNaive(h=3, season=7)]
    return ft.backtest(models, make_panel((90, 90)), n_windows=10, step=3, baselines=False, season=7)


def test_it_is_on_the_leaderboard_and_in_every_table(card: ft.Scorecard) -> None:
    board = card.leaderboard().set_index("model")
    error = card.forecasts["SeasonalNaive"] - card.truth
    assert board["log_cosh"]["SeasonalNaive"] == pytest.approx(np.nanmean(np.log(np.cosh(error))))
    assert board["missed_80"]["SeasonalES"] > board["missed_95"]["SeasonalES"] >= 0
    assert 0 < board["missed_80"]["SeasonalNaive"] < 0.5
    assert len(card.scores("log_cosh", by=["series", "h_step"])) == 6
    assert {"log_cosh", "missed_80", "missed_95"} <= set(card.figures()["metric"])
    assert card.fold_summary("log_cosh")["worst"].notna().all()


def test_it_can_be_compared_and_ranked_by(card: ft.Scorecard) -> None:
    assert card.compare("SeasonalES", "SeasonalNaive", "log_cosh").metric == "log_cosh"
    assert card.ranks("log_cosh").n == 2


def test_pages_notebooks_and_the_documented_table_have_it(card: ft.Scorecard) -> None:
    columns = list(card.leaderboard().columns)
    for place in ("page", "page of counts", "notebook"):
        shown = shown_metrics(columns, place, card.main)
        assert {"log_cosh", "missed_80"} <= set(shown)
        assert "missed_95" not in shown
    assert "<th>log_cosh</th>" in card._repr_html_()
    column = column_of_board("missed_80")
    assert column is not None
    assert column.meaning == "mean distance by which truths miss the central 80 % interval"
    assert metric_of("missed_80").unit == "target"
    assert any(row.startswith(f"| `log_cosh` | {LOG_COSH.meaning} | lower | of the target |") for row in metric_rows())


def test_a_search_makes_it_small() -> None:
    panel = make_panel((90,))
    study = ft.tune("SeasonalES", panel, h=3, n_trials=2, metric="log_cosh")
    assert study.metric == "log_cosh"
    assert np.isfinite(study.best.value)
