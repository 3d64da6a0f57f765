"""What a fitted model says of itself ends in the account of its run, whatever kind of model it is."""

from __future__ import annotations

from typing import Any, ClassVar

import pandas as pd

from foretide.evaluation.cards.account import account_of, with_members


class Told:
    """A model that says something of everything."""

    name = "Told"
    history: Any = ({"epoch": 1, "loss": 0.5},)
    interventions: ClassVar[dict[str, int]] = {"cap": 3}
    members: Any = ()

    def start_report(self) -> dict[str, float]:
        return {"ridge": 0.1}

    def bucket_table(self) -> pd.DataFrame:
        return pd.DataFrame({"target": ["y"], "bucket": ["dense"]})

    def choices(self) -> pd.DataFrame:
        return pd.DataFrame({"series": ["a", "b"], "order": [1, 2]})


class Silent:
    name = "Silent"

    def start_report(self) -> dict[str, float]:
        return {}

    def choices(self) -> pd.DataFrame:
        return pd.DataFrame()


def test_each_thing_that_is_said_has_its_place() -> None:
    assert account_of(Told()) == {
        "epochs": [{"epoch": 1, "loss": 0.5}], "start": {"ridge": 0.1},
        "buckets": [{"target": "y", "bucket": "dense"}], "interventions": {"cap": 3},
        "choices": {"series": ["a", "b"], "order": [1, 2]},
    }  # fmt: skip
    assert account_of(Silent()) == account_of(object()) == {}


def test_stages_and_members_are_told_apart() -> None:
    staged, outer = Told(), Told()
    staged.history = {"start": [{"loss": 3.0}], "rest": [{"loss": 2.0}]}
    outer.members = (staged, Silent())
    found = account_of(outer)
    inner = found["members"]["0-Told"]
    assert inner["epochs"] == [{"stage": "start", "loss": 3.0}, {"stage": "rest", "loss": 2.0}]
    assert "choices" not in inner
    assert found["members"]["1-Silent"] == {}
    assert len(with_members({"Told": found})) > 1
