from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from cases import make_panel

import foretide as ft
from foretide.errors import ConfigError
from foretide.forecasters.sizes import Sizes
from foretide.forecasters.table import FORECASTERS, forecaster_class
from foretide.tuning.candidates import candidates_of, known_settings
from foretide.tuning.space import Choice, Float, Int, grid, key_of, parameter, settings_of
from foretide.tuning.spaces import default_space

SETTING = Sizes(400, 7, (7,))


def candidates(models: Any, **options: Any) -> Any:
    given = {"h": 7, "space": None, "fixed": None, "calendar": None, "setting": SETTING, **options}
    return candidates_of(models, **given)


def test_entries_are_read() -> None:
    assert parameter("a", [1, 2]) == Choice((1, 2))
    assert parameter("a", (1, 5)) == Int(1, 5)
    assert parameter("a", (1, 5.0)) == Float(1.0, 5.0)
    assert parameter("a", (1e-4, 1e-2, "log")) == Float(1e-4, 1e-2, log=True)
    assert parameter("order", [[1, 0, 0], [2, 1, 2]]) == Choice(((1, 0, 0), (2, 1, 2)))
    assert parameter("a", Int(2, 3)) == Int(2, 3)


@pytest.mark.parametrize("given", [3, "x", (1,), (1, 2, 3), (1, "b"), (True, False), {"a": 1}])
def test_entries_that_make_no_sense(given: Any) -> None:
    with pytest.raises(ConfigError, match="third entry|expected a list of options"):
        parameter("lr", given)


def test_ranges_are_checked() -> None:
    with pytest.raises(ConfigError, match="above 0 for a logarithmic one"):
        Float(0.0, 1.0, log=True)
    with pytest.raises(ConfigError, match="from low to high"):
        Int(4, 2)
    with pytest.raises(ConfigError, match="none twice"):
        Choice((1, 1))


def test_grid_and_its_settings() -> None:
    space: Any = {"a": Choice((1, "x", None)), "b": Int(1, 4), "c": Float(2.0, 2.0)}
    found = [key_of(s) for s in settings_of(space)]
    twin = [key_of({"a": a, "b": b, "c": 2.0}) for a, b in itertools.product((1, "x", None), (1, 2, 3, 4))]
    assert found == twin
    assert grid(space) == len(twin) == 12
    assert grid({"a": Float(0.0, 1.0)}) == math.inf
    assert grid({}) == 1


def test_what_optuna_cannot_hold_goes_by_its_text_and_comes_back() -> None:
    entry = Choice(((5, 1, 0), (1, 0, 0), None, 3))
    held = entry.distribution().choices  # type: ignore[attr-defined]
    assert all(isinstance(value, (type(None), bool, int, float, str)) for value in held)
    assert [entry.decode(value) for value in held] == list(entry.options)
    assert (5, 1, 0) in entry
    assert (5, 1, 1) not in entry


WITH_SPACE = [name for name in FORECASTERS if default_space(forecaster_class(name), SETTING)]


@pytest.mark.parametrize("name", WITH_SPACE)
def test_every_setting_of_a_default_space_can_be_made(name: str) -> None:
    """At their ends, one after the other; networks on a short and a long part."""
    for setting in (SETTING, Sizes(60, 7, (7,)), Sizes(1400, 10, (24, 168)), Sizes(30, 3, ())):
        (candidate,) = candidates(name, setting=setting, h=setting.h)
        for key, entry in candidate.space.items():
            ends = entry.options if isinstance(entry, Choice) else (entry.low, entry.high)
            for end in ends:
                made = candidate.make({**candidate.start, key: end}, 3)
                shown = made.settings()
                assert shown.get(key, end) == end
                assert made.h == setting.h
        assert set(candidate.space) <= set(known_settings(forecaster_class(name)) or {})


def test_lookbacks_leave_room_to_learn() -> None:
    for rows in (20, 60, 400, 5000):
        for seasons in ((), (7,), (24, 168)):
            sizes = Sizes(rows, 7, seasons).lookbacks()
            assert max(sizes) <= max(2, rows // 3)
    assert 60 in Sizes(400, 7, (7,)).lookbacks()


def test_those_with_settings_worth_a_search_have_a_space() -> None:
    assert set(WITH_SPACE) == {
        "Attention", "LSTM", "LAVAR", "Ridge", "Linear", "WindowMean", "SeasonalMean", "SeasonalES", "CalendarMean",
        "CalendarES", "TSB", "Analogues", "Boosting", "ARIMA", "VAR", "PlainLSTM", "PlainAttention", "PlainLAVAR",
    }  # fmt: skip
    assert set(default_space(ft.SeasonalNaive, Sizes(400, 7, (24, 168)))) == {"season"}


def test_an_instance_fixes_what_differs_from_the_defaults() -> None:
    (candidate,) = candidates(ft.Attention(7, input_size=28, epochs=2, seed=5))
    assert candidate.fixed == {"input_size": 28, "epochs": 2, "seed": 5}
    assert "input_size" not in candidate.space
    assert not candidate.seeded
    assert candidate.start["hidden"] == 128
    (free,) = candidates(ft.Attention)
    assert free.seeded
    assert free.make(free.start, 9).seed == 9


def test_a_space_that_names_a_given_setting_begins_with_it() -> None:
    (candidate,) = candidates(ft.Ridge(7, input_size=21), space={"input_size": [7, 14]})
    assert candidate.start == {"input_size": 21}
    assert candidate.fixed == {}


def test_spaces_and_fixed_settings_by_class() -> None:
    lstm, ridge = candidates(
        ["lstm", {"Ridge": {"level": "last"}}], space={"LSTM": {"hidden": [8]}}, fixed={"epochs": 2}
    )  # fmt: skip
    assert (list(lstm.space), lstm.fixed) == (["hidden"], {"epochs": 2})
    assert (ridge.space, ridge.fixed) == ({}, {"level": "last"})


@pytest.mark.parametrize(
    ("models", "options", "match"),
    [
        ("Atention", {}, "Did you mean 'Attention'"),
        ("LSTM", {"space": {"hiden": [8]}}, "no setting 'hiden'. Did you mean 'hidden'"),
        ("Ridge", {"fixed": {"inputsize": 8}}, "Did you mean 'input_size'"),
        (["LSTM", "LSTM"], {}, "Two models are called 'LSTM'"),
        ([], {}, "nothing to search"),
        (3, {}, "Expected a forecaster's class"),
        (ft.Ridge(5), {}, "has h=5"),
        ("LSTM", {"fixed": {"hidden": -1}, "space": {}}, "at least 1"),
    ],
)
def test_what_cannot_be_searched_is_said(models: Any, options: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        candidates(models, **options)


def test_forecasters_without_settings_have_an_empty_space() -> None:
    (drift,) = candidates(ft.Drift)
    assert drift.space == {}
    assert drift.make({}, None).name == "Drift"


def test_pruning_only_where_losses_compare() -> None:
    kinds = {"LSTM": True, "Attention": True, "Ridge": False, "LAVAR": False, "SeasonalES": False}
    assert {name: candidates(name)[0].prunes for name in kinds} == kinds
    assert not candidates("LSTM", space={"head": ["point", "huber"]})[0].prunes


def test_histories_are_those_of_all_lookbacks() -> None:
    (candidate,) = candidates("Ridge", space={"input_size": [7, 30]})
    assert candidate.histories() == {60, 7, 30}
    assert make_panel((10,)).n_targets == 1
