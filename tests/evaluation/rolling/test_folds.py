from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np
import pytest
from cases import make_panel, times
from hypothesis import given
from hypothesis import strategies as st

from foretide.data.panel import Panel
from foretide.errors import ConfigError, DataError
from foretide.evaluation.rolling.folds import make_plan, rotating_step
from foretide.evaluation.rolling.plan import BacktestWarning, Fold, Plan


def plan(panel: Panel | None = None, h: int = 5, **options: Any) -> Plan:
    return make_plan(panel or make_panel((100,)), h, **options)


def cutoffs(made: Plan) -> list[int]:
    return [fold.cutoff for fold in made.folds]


def test_the_last_fold_ends_with_the_data() -> None:
    made = plan(n_windows=3, step=4)
    assert cutoffs(made) == [99 - 5 - 8, 99 - 5 - 4, 99 - 5]
    panel = make_panel((100,))
    assert [fold.time for fold in made.folds] == times(panel, cutoffs(made))
    assert (made.h, made.step, made.season) == (5, 4, 7)


def test_rows_with_known_future_values_only_are_no_truth() -> None:
    assert cutoffs(plan(make_panel((100,), future=1, ahead=6), n_windows=1)) == [93 - 5]


def test_start_counts_forward() -> None:
    panel = make_panel((100,))
    assert cutoffs(plan(panel, start=times(panel, [50])[0], step=9)) == [50, 59, 68, 77, 86]
    assert cutoffs(plan(panel, start=times(panel, [50])[0], step=9, n_windows=2)) == [50, 59]


def test_default_step_passes_through_the_season() -> None:
    made = plan(make_panel((200,)), h=14, n_windows=9)
    assert made.step == 15
    assert len({c % 7 for c in cutoffs(made)}) == 7


@given(h=st.integers(1, 400), season=st.integers(1, 400))
def test_rotating_step_is_the_least_that_shares_no_factor(h: int, season: int) -> None:
    step = rotating_step(h, season)
    assert step >= h
    assert season == 1 or gcd(step, season) == 1
    assert all(gcd(k, season) > 1 for k in range(h, step))


def test_all_cutoffs_on_one_weekday_warn() -> None:
    with pytest.warns(BacktestWarning, match=r"All 4 cutoffs lie a multiple of 7 steps \(a week\) apart.*step=15"):
        made = plan(make_panel((200,)), h=14, step=14, n_windows=4)
    assert len({c % 7 for c in cutoffs(made)}) == 1


def test_one_fold_has_one_phase_and_no_warning() -> None:
    assert len(plan(h=7, step=7, n_windows=1).folds) == 1


@pytest.mark.parametrize(
    ("refit", "fits"),
    [
        (False, [0] * 6),
        (0, [0] * 6),
        (True, [0, 1, 2, 3, 4, 5]),
        (1, [0, 1, 2, 3, 4, 5]),
        (3, [0, 0, 0, 3, 3, 3]),
        (4, [0, 0, 0, 0, 4, 4]),
        (lambda fold: fold.index in (2, 5), [0, 0, 2, 2, 2, 5]),
        (lambda fold: fold.index - fold.fit >= 2, [0, 0, 2, 2, 4, 4]),
    ],
)
def test_refit(refit: Any, fits: list[int]) -> None:
    made = plan(n_windows=6, step=2, refit=refit)
    assert [fold.fit for fold in made.folds] == fits
    assert [[f.index for f in block] for block in made.blocks] == [
        [k for k in range(6) if fits[k] == fit] for fit in sorted(set(fits))
    ]
    assert [fold.refits for fold in made.folds] == [k == f for k, f in enumerate(fits)]


def test_gap_and_sliding_training_part() -> None:
    panel = make_panel((100,))
    made = plan(panel, n_windows=2, step=3, gap=2, train_size=30, val_size=8, refit=True)
    first, second = made.blocks
    assert (made.fit_end(first), made.fit_end(second)) == (91 - 2, 94 - 2)
    assert made.train_end(first) == 91 - 2 - 8
    part = made.part(panel, second)
    assert (int(part.first[0]), int(part.last[0])) == (92 - 30 + 1, 99)
    assert plan(panel, n_windows=2, step=3).part(panel, first) is panel
    assert plan(panel, n_windows=2, step=3).train_end(first) is None
    assert plan(panel, n_windows=1, train_size=1000).part(panel, first) is panel


@pytest.mark.parametrize(("h", "step", "expected"), [(5, 5, 1), (5, 6, 1), (5, 4, 2), (12, 1, 12), (12, 5, 3)])
def test_overlap(h: int, step: int, expected: int) -> None:
    made = plan(make_panel((200,)), h=h, step=step, n_windows=12)
    counted = max(np.bincount(np.concatenate([np.arange(c + 1, c + h + 1) for c in cutoffs(made)])))
    assert made.overlap == counted == expected


def test_the_plan_comes_back_from_json() -> None:
    panel = make_panel((100,))
    made = plan(panel, n_windows=4, step=3, refit=2, gap=1)
    assert Plan.from_dict(made.to_dict(), panel) == made


def test_season_of_the_first_training_part_only() -> None:
    panel = make_panel((200,))
    later = panel.values.copy()
    later[120:] = 1e9 * np.arange(80)[:, None]
    assert plan(panel.with_values(later), start=times(panel, [119])[0]).season == plan(panel, season=7).season


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_windows": 0}, "n_windows is a whole number of steps of at least 1, got 0"),
        ({"step": True}, "step is a whole number"),
        ({"gap": -1}, "gap is a whole number of steps of at least 0"),
        ({"train_size": 1}, "train_size is a whole number of steps of at least 2"),
        ({"n_windows": 90, "step": 2}, r"n_windows=90 cutoffs 2 steps apart do not fit: the panel has room for 47"),
        ({"refit": "often"}, "refit is True, False, a number of folds, or a function of the fold; got 'often'"),
        ({"refit": -1}, "refit is True, False"),
        ({"gap": None}, "gap is a whole number"),
        ({"n_window": 5}, "backtest has no option 'n_window'. Did you mean 'n_windows'"),
    ],
)
def test_settings_that_cannot_work(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(**options)


def test_start_outside_of_what_can_be_scored() -> None:
    panel = make_panel((100,))
    with pytest.raises(ConfigError, match=r"it must lie between 2023-01-03 and 2023-04-06"):
        plan(panel, start=times(panel, [97])[0])
    with pytest.raises(ConfigError, match="From start on there are 2 cutoffs 3 steps apart, not n_windows=5"):
        plan(panel, start=times(panel, [90])[0], step=3, n_windows=5)
    with pytest.raises(DataError, match="is not on the panel's time grid"):
        plan(panel, start="2023-02-01 07:00")


def test_a_panel_too_short() -> None:
    with pytest.raises(DataError, match=r"h=10 and gap=0 needs at least 12 steps; the panel has 9"):
        plan(make_panel((9,)), h=10)


def test_integer_time_has_no_season_and_no_warning() -> None:
    from foretide.data.time.grid import Grid

    panel = make_panel((60,))
    panel = Panel(Grid(5, 2), ("",), panel.values, panel.row0, panel.length, panel.first, panel.targets)
    made = plan(panel, h=3, n_windows=2)
    assert made.folds == (Fold(0, 53, 5 + 2 * 53, 0), Fold(1, 56, 5 + 2 * 56, 0))
