"""Candidates judged in several processes: the same to the bit, and what happens where there can be none."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import psutil
import pytest
from cases import make_panel

import foretide as ft
from foretide.errors import ConfigError
from foretide.forecasters.auto.crew import AFTER, BIG, Crew, can_travel
from foretide.forecasters.base import FitPart
from foretide.forecasters.simple.baselines import Persistence
from foretide.parallel import map_tasks

H = 5
CANDIDATES = ["SeasonalNaive", {"Ridge": {"input_size": 14}}, "CalendarES", "Drift"]


class Local(Persistence):
    """Known to this process alone; says where it is fitted."""

    baseline = False
    fitted_in: set[int] = set()  # noqa: RUF012

    def _fit(self, part: FitPart) -> None:
        self.fitted_in.add(os.getpid())
        super()._fit(part)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes pay from the first candidate on."""
    monkeypatch.setattr("foretide.forecasters.auto.crew.BIG", 0)
    monkeypatch.setattr("foretide.forecasters.auto.crew.AFTER", 0.0)


def fitted(panel: ft.Panel, n_jobs: int | None) -> ft.Auto:
    return ft.Auto(H, [*CANDIDATES, Local(H)], season=7, n_jobs=n_jobs, time_limit=500).fit(panel)


def same(one: ft.Auto, other: ft.Auto, panel: ft.Panel) -> None:
    for a, b in zip(one.predict(panel).quantiles, other.predict(panel).quantiles, strict=True):
        np.testing.assert_array_equal(a, b)
    boards = [model.leaderboard().drop(columns="seconds") for model in (one, other)]
    assert boards[0].equals(boards[1])
    assert one.notes_ == other.notes_
    assert list(one.trials_) == list(other.trials_)
    for name, trial in one.trials_.items():
        np.testing.assert_array_equal(trial.quantiles, other.trials_[name].quantiles)


@pytest.mark.usefixtures("at_once")
def test_two_processes_give_the_same_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    panel, started = make_panel((200, 150, 180)), []
    alone = fitted(panel, 1)
    kept = Crew.stream

    def stream(crew: Crew, function: Any, items: Any, *, beside: bool, prepare: Any = None) -> Any:
        started.append((function.__name__, beside, len(items)))
        return kept(crew, function, items, beside=beside, prepare=prepare)

    monkeypatch.setattr(Crew, "stream", stream)
    Local.fitted_in.clear()
    lines: list[str] = []
    model = ft.Auto(H, [*CANDIDATES, Local(H)], season=7, n_jobs=2, time_limit=500)
    model.progress = lines.append
    same(model.fit(panel), alone, panel)
    assert started[:2] == [("attempt", False, 1), ("attempt", True, 4)]
    assert Local.fitted_in == {os.getpid()}
    assert [line.split(",")[0] for line in lines[:-1]] == [
        "trying Local (5 of 5)", "trying SeasonalNaive (1 of 5)", "trying Ridge (2 of 5)",
        "trying CalendarES (3 of 5)", "trying Drift (4 of 5)",
    ]  # fmt: skip
    assert not loky_children()


@pytest.mark.usefixtures("at_once")
def test_where_no_process_can_start_it_goes_on_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = make_panel((120, 100))

    def refused(*_: object) -> None:
        raise PermissionError("no semaphores here")

    alone = fitted(panel, 1)
    monkeypatch.setattr("foretide.forecasters.auto.crew.kept_workers", refused)
    same(fitted(panel, 2), alone, panel)


def loky_children() -> int:
    return sum("LokyProcess" in " ".join(child.cmdline()) for child in psutil.Process().children())


def in_a_worker(panel: ft.Panel, n_jobs: int) -> list[int]:
    model = ft.Auto(H, CANDIDATES, season=7, n_jobs=n_jobs).fit(panel)
    return [loky_children(), len(model.members)]


@pytest.mark.usefixtures("at_once")
def test_inside_a_worker_it_starts_none() -> None:
    found = [outcome.get() for outcome in map_tasks(in_a_worker, [2], shared=make_panel((90,)), executor="processes")]
    assert found[0][0] == 0
    assert found[0][1] >= 1


def test_it_pays_for_large_tables_that_take_their_time() -> None:
    small, large = make_panel((200,)), make_panel((1300,) * 4)
    assert small.observed.sum() < BIG <= large.observed.sum()
    assert Crew(None, large, 2).pays(AFTER, 2)
    assert not Crew(None, large, 1).pays(AFTER, 2)
    assert not Crew(None, large, 2).pays(AFTER, 1)
    assert not Crew(None, large, 2).pays(AFTER / 2, 2)
    assert not Crew(None, small, 2).pays(AFTER, 2)


def test_only_known_classes_travel() -> None:
    assert can_travel(ft.Ensemble([ft.Drift(H), ft.WithIntervals(ft.Drift(H))]))
    assert not can_travel(Local(H))
    assert not can_travel(ft.WithIntervals(Local(H)))


def test_a_number_of_jobs_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="n_jobs"):
        ft.Auto(H, n_jobs=0)
