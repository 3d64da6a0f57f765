"""A plan comes back from JSON as it was: folds, parts, and shares of series that end at different times."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cases import make_panel

import foretide as ft
from foretide.evaluation.rolling.folds import make_plan, plan_of_split
from foretide.evaluation.rolling.plan import Plan


def plans() -> dict[str, tuple[ft.Panel, Plan]]:
    even, uneven = make_panel((60, 60)), make_panel((80, 20))
    parts = ft.split_at(even, train_until=even.grid.output_times([35])[0], val_until=even.grid.output_times([44])[0])
    own = ft.split(uneven, h=3)
    return {
        "folds": (even, make_plan(even, 4, n_windows=3, gap=2, train_size=20, val_size=5, refit=2, season=7)),
        "parts": (even, plan_of_split(even, parts, 3, step=2, season=7)),
        "own parts": (uneven, plan_of_split(uneven, own, 3, step=1, season=None)),
    }


@pytest.mark.parametrize("name", ["folds", "parts", "own parts"])
def test_a_plan_comes_back_from_json(name: str) -> None:
    panel, plan = plans()[name]
    found: Any = json.loads(json.dumps(plan.to_dict()))
    back = Plan.from_dict(found, panel)
    assert back == plan
    assert back.to_dict() == plan.to_dict()
    assert (plan.gap, plan.train_size, plan.val_size) == ((2, 20, 5) if name == "folds" else (0, None, None))
    if name == "own parts":
        assert plan.split is not None
        assert plan.split.own is not None
        assert back.split is not None
        assert isinstance(back.split.own, tuple)
