"""The same cutoff gives the same forecast in any table that holds the same past: what was learned is tied to times."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import CASES
from tables import SHOPS, TIMES, H, panel_of, rows_of

import foretide.forecasters.artifact as artifact
from foretide.forecasters.base import Forecaster

LEARNED = SHOPS[:3]
TOLERANCE = 1e-5
"""Of a series' scale."""
READS_OTHERS = {"Conformal-adaptive"}
"""What these learn after the fit comes from all series of the table at hand, by design."""
Answers = dict[tuple[str, Any, str], tuple[np.ndarray, np.ndarray | None]]

each = pytest.mark.parametrize("case", CASES)
each_time = pytest.mark.parametrize("kind", TIMES)


@cache
def fitted(case: str, kind: str) -> Forecaster:
    time = TIMES[kind]
    table = rows_of(kind, time.fitted_from, time.fitted_to + 1 + H, LEARNED)
    return CASES[case](H).fit(panel_of(table, kind), until=time.index[time.fitted_to])


def answers(model: Forecaster, table: pd.DataFrame, kind: str, **roles: Any) -> Answers:
    """Return mean and quantiles by series, cutoff and target."""
    cutoffs = [time for time in TIMES[kind].cutoffs if time >= table.ds.min()]
    found = model.predict(panel_of(table, kind, **roles), cutoffs=cutoffs, levels=(80,))
    assert np.isfinite(found.mean).all()
    times = found.panel.grid.output_times(found.cutoff_steps)
    return {
        (found.panel.ids[i], time, target): (
            found.mean[k, :, d], None if found.quantiles is None else found.quantiles[k, :, d]
        )
        for k, (i, time) in enumerate(zip(found.windows.entity, times, strict=True))
        for d, target in enumerate(found.panel.targets)
    }  # fmt: skip


@cache
def expected(case: str, kind: str) -> Answers:
    return answers(fitted(case, kind), rows_of(kind, TIMES[kind].fitted_from, None, LEARNED), kind)


def same(case: str, kind: str, got: Answers, *, least: int) -> None:
    wanted, table = expected(case, kind), rows_of(kind)
    shared = [key for key in got if key in wanted]
    assert len(shared) >= least
    for name, time, target in shared:
        scale = float(table.loc[table.unique_id == name, target].std())
        for ours, theirs in zip(got[name, time, target], wanted[name, time, target], strict=True):
            if theirs is not None:
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE * scale, err_msg=f"{name} {time}")


@each
@each_time
@pytest.mark.parametrize("k", [1, 5])
def test_without_the_first_rows(case: str, kind: str, k: int) -> None:
    table = rows_of(kind, TIMES[kind].fitted_from + k, None, LEARNED)
    same(case, kind, answers(fitted(case, kind), table, kind), least=len(expected(case, kind)))


@each
@each_time
def test_a_table_of_new_rows_that_adjoins_the_fitted_one(case: str, kind: str) -> None:
    table = rows_of(kind, TIMES[kind].fitted_to - 10, None, LEARNED)
    same(case, kind, answers(fitted(case, kind), table, kind), least=len(expected(case, kind)))


@pytest.mark.parametrize("case", [case for case, make in CASES.items() if make(H).memory is not None])
@each_time
def test_the_last_rows_alone_where_no_more_is_read(case: str, kind: str) -> None:
    time, model = TIMES[kind], fitted(case, kind)
    least = max(model.min_history, model.memory or 0)
    table = rows_of(kind, time.rows - H - least - 3, None, LEARNED)
    same(case, kind, answers(model, table, kind), least=2 * len(LEARNED))


@each
@each_time
def test_a_table_that_begins_earlier(case: str, kind: str) -> None:
    table = rows_of(kind, 0, None, LEARNED)
    same(case, kind, answers(fitted(case, kind), table, kind), least=len(expected(case, kind)))


@each
@each_time
@pytest.mark.parametrize("shops", [LEARNED[1:2], LEARNED[::-1], SHOPS, SHOPS[::-1]])
def test_fewer_and_more_entities_in_any_order(case: str, kind: str, shops: tuple[str, ...]) -> None:
    if case in READS_OTHERS and len(shops) < len(LEARNED):
        pytest.skip("learns from the other series of a table as well")
    table = rows_of(kind, TIMES[kind].fitted_from, None, shops)
    least = len(expected(case, kind)) * min(len(shops), len(LEARNED)) // len(LEARNED)
    same(case, kind, answers(fitted(case, kind), table, kind), least=least)


@each
@each_time
def test_columns_in_another_order(case: str, kind: str) -> None:
    roles = {"target": ["z", "y"], "past": ["q", "p"], "future": ["g", "f"], "static": ["region", "size"]}
    table = rows_of(kind, TIMES[kind].fitted_from, None, LEARNED)
    got = answers(fitted(case, kind), table, kind, **roles)
    same(case, kind, got, least=len(expected(case, kind)))


@each
@pytest.mark.parametrize("kind", ["spring", "autumn"])
def test_the_same_instants_in_another_zone(case: str, kind: str) -> None:
    table = rows_of(kind, TIMES[kind].fitted_from, None, LEARNED)
    table["ds"] = table.ds.dt.tz_convert("UTC")
    same(case, kind, answers(fitted(case, kind), table, kind), least=len(expected(case, kind)))


@each
@each_time
def test_after_save_and_load_in_a_shorter_table(case: str, kind: str, tmp_path: Path) -> None:
    fitted(case, kind).save(tmp_path / "model")
    table = rows_of(kind, TIMES[kind].fitted_from + 9, None, LEARNED[::-1])
    got = answers(artifact.load(tmp_path / "model"), table, kind)
    same(case, kind, got, least=len(expected(case, kind)))


@pytest.mark.parametrize("kind", ["daily", "spring"])
def test_waves_and_known_columns_are_in_play(kind: str) -> None:
    # Otherwise the contract above would say little.
    model: Any = fitted("Attention-waves", kind)
    assert model.closed_form.chosen["waves"] == 3
    calendar: Any = fitted("LSTM-calendar", kind)
    assert calendar.preparation.calendar is not None
    assert calendar.closed_form.chosen["known"]
