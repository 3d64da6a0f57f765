"""No forecaster depends on what lies after ``until`` or after a cutoff: poison the future, and nothing changes.

The check itself is held by tests/evaluation/leaks/test_check.py, with forecasters that cheat.
"""

from __future__ import annotations

import pytest
from cases import CASES, ONE_EACH, make_panel, times

from foretide.evaluation.leaks.check import LeakReport, check_leaks

H = 4
UNTIL = 79
CUTOFFS = [80, 84]
POISONS = ("nan", "huge", "shuffled")


@pytest.mark.parametrize("case", CASES)
def test_no_forecaster_sees_the_future(case: str) -> None:
    panel = make_panel((100, 94), targets=2, past=1, future=1, first=(0, 2), seed=3, whole=True)
    until, cutoffs = times(panel, [UNTIL])[0], times(panel, CUTOFFS)
    poisons = POISONS if case in ONE_EACH else ("huge",)
    report = check_leaks(CASES[case](H), panel, until=until, cutoffs=cutoffs, poisons=poisons)
    assert report.ok, report.to_text()
    assert report == LeakReport(CASES[case](H).name, until, tuple(cutoffs), poisons)


@pytest.mark.parametrize("case", ONE_EACH)
def test_rows_that_do_not_exist_yet_make_no_difference(case: str) -> None:
    # As in use: after the last known step there is nothing but what is known ahead.
    future = int(CASES[case](H).uses_future)
    panel = make_panel((100, 94), targets=2, past=1, future=future, first=(0, 2), seed=3, whole=True)
    until, cutoffs = times(panel, [UNTIL - 4])[0], times(panel, CUTOFFS)
    report = check_leaks(CASES[case](H), panel, until=until, cutoffs=cutoffs, poisons=["truncated"])
    assert report.ok, report.to_text()
