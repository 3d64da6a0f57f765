from __future__ import annotations

import pytest

from foretide.data.time.calendar import Calendar
from foretide.forecasters.classical.ridge import Ridge
from foretide.forecasters.networks.lstm import LSTM
from foretide.forecasters.simple.baselines import Drift, SeasonalNaive
from foretide.forecasters.simple.default_set import (
    default_names,
    is_baseline,
    simple_set,
    with_intervals,
)
from foretide.forecasters.table import FORECASTERS, forecaster_class
from foretide.forecasters.wrappers.conformal import Conformal
from foretide.forecasters.wrappers.intervals import WithIntervals

UNASKED = ("Persistence", "SeasonalNaive", "WindowMean", "SeasonalMean", "SeasonalES", "Drift", "Ridge")
UNASKED_COUNTS = ("CalendarES", "Croston", "SBA", "TSB")
PLAIN = {"PlainLSTM", "PlainAttention", "PlainLAVAR"}
NEURAL = {"LSTM", "Attention", "LAVAR", *PLAIN}
NETWORKS = {"Auto", "Ensemble", "WithIntervals", "Conformal", "PerEntity", *NEURAL}


def names(**options: object) -> list[str]:
    given = {"counts": False, "freq": "D", "shared": {}, **options}
    return [f.name for f in simple_set(4, **given)[0]]  # type: ignore[arg-type]


def test_every_forecaster_but_those_that_learn_from_all_series_is_a_baseline_or_a_network() -> None:
    kinds = {name: forecaster_class(name) for name in FORECASTERS}
    assert {name for name, kind in kinds.items() if not kind.baseline} == NETWORKS | {
        "Analogues",
        "Boosting",
        "Pretrained",
    }
    assert {name for name, kind in kinds.items() if kind.neural} == NEURAL
    assert {name for name, kind in kinds.items() if kind.nests} == NETWORKS - NEURAL
    assert {name: kind.explains for name, kind in kinds.items() if kind.explains} == {
        "Attention": ("attention",), "LAVAR": ("latent",),
        "PlainAttention": ("attention",), "PlainLAVAR": ("latent",),
    }  # fmt: skip


def test_a_baseline_with_intervals_stays_one() -> None:
    assert is_baseline(WithIntervals(SeasonalNaive(4)))
    assert is_baseline(Conformal(WithIntervals(SeasonalNaive(4))))
    assert not is_baseline(WithIntervals(LSTM(h=4, input_size=7)))
    assert not is_baseline(object())


def test_the_set() -> None:
    assert names() == list(UNASKED)
    beside = [Ridge(4, alias="mine"), WithIntervals(Drift(4))]
    assert names(beside=beside) == [n for n in UNASKED if n not in ("Drift", "Ridge")]


def test_a_baseline_whose_name_is_taken_runs_under_another() -> None:
    assert names(beside=[LSTM(h=4, input_size=7, alias="ridge")])[-1] == "Ridge-baseline"

    class Mine(Drift):
        """Does otherwise than a drift, so that one runs beside it."""

    assert "Drift" in names(beside=[Mine(4)])


def test_counts() -> None:
    pytest.importorskip("statsforecast")
    assert names(counts=True) == [*UNASKED, *UNASKED_COUNTS]
    assert all(f.answers_levels for f in simple_set(4, counts=True, freq="D", shared={})[0])


def test_without_a_season_or_holidays_there_is_no_calendar_smoothing() -> None:
    assert "CalendarES" not in default_names(counts=True, seasonal=False)
    assert "CalendarES" not in names(counts=True, freq="YS")
    assert "CalendarES" in names(counts=True, freq="YS", shared={"season": 4})
    holidays = Calendar(("weekday",), country="DE")
    assert "CalendarES" in names(counts=True, freq="3D", shared={"calendar": holidays})
    assert "CalendarES" not in names(counts=True, freq="3D", shared={"calendar": Calendar(("weekday",))})


def test_shared_settings_go_to_those_that_know_them() -> None:
    made = {f.name: f for f in simple_set(4, counts=False, freq="h", shared={"season": 24, "input_size": 9})[0]}
    assert made["SeasonalNaive"].settings()["season"] == 24
    assert made["Ridge"].settings()["input_size"] == 9


def test_a_law_of_its_own_is_kept() -> None:
    distribution = forecaster_class("VAR")(h=4)
    assert with_intervals(distribution) is distribution
    point = SeasonalNaive(4, alias="x")
    wrapped = with_intervals(point)
    assert wrapped.name == "x"
    assert wrapped.has_distribution
