"""The same cutoff gives the same forecast in any table that holds the same past: what was learned is tied to times."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import CASES, crossed
from tables import SHOPS, TIMES, H, panel_of, scales_of

import foretide.forecasters.artifact as artifact
from foretide.data.panel import Panel
from foretide.forecasters.base import Forecaster

LEARNED = SHOPS[:3]
TOLERANCE = 1e-5
"""Of a series' scale."""
Answers = dict[tuple[str, Any, str], np.ndarray]
"""By series, cutoff and target: the mean and the quantiles of each step."""

ZONED = ("spring", "autumn")
each = pytest.mark.parametrize(("case", "kind"), crossed(TIMES, "spring"))
each_zoned = pytest.mark.parametrize(("case", "kind"), crossed(ZONED, "spring"))


@cache
def fitted(case: str, kind: str) -> Forecaster:
    time = TIMES[kind]
    panel = panel_of(kind, time.fitted_from, time.fitted_to + 1 + H, LEARNED)
    return CASES[case](H).fit(panel, until=time.index[time.fitted_to])


def answers(model: Forecaster, panel: Panel, kind: str, low: int = 0) -> Answers:
    """Return what a model says at the cutoffs from row ``low`` of the calendar on, where the table begins."""
    time = TIMES[kind]
    found = model.predict(panel, cutoffs=[cutoff for cutoff in time.cutoffs if cutoff >= time.index[low]], levels=(80,))
    said = found.mean[..., None]  # (windows, h, targets, 1 or more)
    assert np.isfinite(said).all()
    if found.quantiles is not None:
        said = np.concatenate([said, found.quantiles], axis=-1)
    times = found.panel.grid.output_times(found.cutoff_steps)
    return {
        (found.panel.ids[i], cutoff, target): said[k, :, d]
        for k, (i, cutoff) in enumerate(zip(found.windows.entity, times, strict=True))
        for d, target in enumerate(found.panel.targets)
    }


@cache
def expected(case: str, kind: str) -> Answers:
    low = TIMES[kind].fitted_from
    return answers(fitted(case, kind), panel_of(kind, low, None, LEARNED), kind, low)


def same(case: str, kind: str, got: Answers, *, least: int) -> None:
    wanted, scales = expected(case, kind), scales_of(kind)
    shared = [key for key in got if key in wanted]
    assert len(shared) >= least
    ours, theirs = (np.stack([found[key] for key in shared]) for found in (got, wanted))
    gaps = np.abs(ours - theirs).max(axis=(1, 2)) / [scales[name, target] for name, _, target in shared]
    worst = int(np.argmax(gaps))
    assert gaps[worst] <= TOLERANCE, f"{shared[worst]}: {ours[worst]} is not {theirs[worst]}"


@each
def test_without_the_first_row(case: str, kind: str) -> None:
    low = TIMES[kind].fitted_from + 1
    got = answers(fitted(case, kind), panel_of(kind, low, None, LEARNED), kind, low)
    same(case, kind, got, least=len(expected(case, kind)))


@each
def test_a_table_of_new_rows_that_adjoins_the_fitted_one(case: str, kind: str) -> None:
    low = TIMES[kind].fitted_to - 10
    got = answers(fitted(case, kind), panel_of(kind, low, None, LEARNED), kind, low)
    same(case, kind, got, least=len(expected(case, kind)))


@pytest.mark.parametrize(
    ("case", "kind"), [(case, kind) for case, kind in crossed(TIMES, "spring") if CASES[case](H).memory is not None]
)
def test_the_last_rows_alone_where_no_more_is_read(case: str, kind: str) -> None:
    time, model = TIMES[kind], fitted(case, kind)
    low = time.rows - H - max(model.min_history, model.memory or 0) - 3
    same(case, kind, answers(model, panel_of(kind, low, None, LEARNED), kind, low), least=2 * len(LEARNED))


@each
def test_a_table_that_begins_earlier(case: str, kind: str) -> None:
    got = answers(fitted(case, kind), panel_of(kind, 0, None, LEARNED), kind)
    same(case, kind, got, least=len(expected(case, kind)))


@each
@pytest.mark.parametrize("shops", [LEARNED[1:2], SHOPS[::-1]])
def test_fewer_and_more_entities_in_any_order(case: str, kind: str, shops: tuple[str, ...]) -> None:
    if len(shops) < len(LEARNED) and fitted(case, kind).reads_others:
        pytest.skip("learns from the other series of a table as well")
    low = TIMES[kind].fitted_from
    least = len(expected(case, kind)) * min(len(shops), len(LEARNED)) // len(LEARNED)
    same(case, kind, answers(fitted(case, kind), panel_of(kind, low, None, shops), kind, low), least=least)


@each
def test_columns_in_another_order(case: str, kind: str) -> None:
    low = TIMES[kind].fitted_from
    got = answers(fitted(case, kind), panel_of(kind, low, None, LEARNED, backwards=True), kind, low)
    same(case, kind, got, least=len(expected(case, kind)))


@each_zoned
def test_the_same_instants_in_another_zone(case: str, kind: str) -> None:
    low = TIMES[kind].fitted_from
    got = answers(fitted(case, kind), panel_of(kind, low, None, LEARNED, zone="UTC"), kind, low)
    same(case, kind, got, least=len(expected(case, kind)))


@each
def test_after_save_and_load_in_a_shorter_table(case: str, kind: str, tmp_path: Path) -> None:
    fitted(case, kind).save(tmp_path / "model")
    low = TIMES[kind].fitted_from + 9
    got = answers(artifact.load(tmp_path / "model"), panel_of(kind, low, None, LEARNED[::-1]), kind, low)
    same(case, kind, got, least=len(expected(case, kind)))


@pytest.mark.parametrize("kind", ["daily", "spring"])
def test_waves_and_known_columns_are_in_play(kind: str) -> None:
    # Otherwise the contract above would say little.
    model: Any = fitted("Attention-waves", kind)
    assert model.closed_form.chosen["waves"] == 3
    calendar: Any = fitted("LSTM-calendar", kind)
    assert calendar.preparation.calendar is not None
    assert calendar.closed_form.chosen["known"]
