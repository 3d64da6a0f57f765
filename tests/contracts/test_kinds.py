"""What a forecaster is follows from its class, whatever it is called."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.cases import make_panel, times

import foretide as ft
from foretide.errors import ArtifactError
from foretide.evaluation.cards.scorecard import Scorecard
from foretide.forecasters.base import Forecaster
from foretide.forecasters.networks.neural import NeuralForecaster
from foretide.forecasters.simple.baselines import Persistence
from foretide.forecasters.table import FORECASTERS, forecaster_class, registered
from foretide.jobs.threads import has_network, networks_in

H = 3
SMALL: dict[str, Any] = {"input_size": 6, "epochs": 1, "hidden": 8, "calendar": None}


class MyPersistence(Persistence):
    """A baseline, since a persistence is one."""


class VAR(ft.LSTM):
    """A network that is called as a baseline is."""


class MyAttention(ft.Attention):
    """An attention model of one's own."""


def small(kind: type[Any], **settings: Any) -> Forecaster:
    return kind(h=H, **{**SMALL, **({"heads": 2} if issubclass(kind, ft.Attention) else {}), **settings})  # type: ignore[no-any-return]


def test_score_takes_the_network_for_the_model_and_the_naive_for_the_baseline() -> None:
    panel = make_panel((80,))
    models = [
        small(ft.LSTM, alias="Ridge"),
        ft.Ridge(H, input_size=6, alias="ridge48"),
        ft.SeasonalNaive(H, 7, alias="naive24"),
    ]
    until = times(panel, [70])[0]
    made = [model.fit(panel, until=until).predict(panel, [until]) for model in models]
    scores = ft.score(made)
    assert scores.best_model == "Ridge"
    assert set(scores.baselines) == {"ridge48", "naive24"}
    assert dict(zip(scores.leaderboard()["model"], scores.leaderboard()["kind"], strict=True))["Ridge"] == "model"
    assert ft.score([made[0].renamed("Persistence"), made[2]]).baselines == ("naive24",)


def test_kinds_are_inherited_and_passed_on() -> None:
    assert MyPersistence(H).baseline
    assert not MyPersistence(H).neural
    assert small(VAR).neural
    assert not small(VAR).baseline
    for make in (ft.WithIntervals, ft.Conformal, ft.PerEntity):
        assert make(MyPersistence(H)).baseline
        assert not make(MyPersistence(H)).neural
        assert make(small(VAR)).neural
        assert not make(small(VAR)).baseline
        assert type(make(MyPersistence(H)).fresh().parts[0]) is MyPersistence
    blend = ft.Ensemble([MyPersistence(H), small(VAR)])
    assert blend.neural
    assert not blend.baseline
    assert [type(part) for part in blend.fresh().parts] == [MyPersistence, VAR]


def test_a_backtest_and_what_is_read_back_know_kinds(tmp_path: Path) -> None:
    panel = make_panel((90,))
    models = [small(VAR), MyPersistence(H, alias="LSTM"), ft.WithIntervals(MyPersistence(H), alias="mine")]
    card = ft.backtest(models, panel, n_windows=2, step=3)
    assert {"LSTM", "mine"} < set(card.baselines)
    assert [m for m in card.models if m not in card.baselines] == ["VAR-start", "VAR"]
    card.save(tmp_path / "card")
    again = Scorecard.load(tmp_path / "card")
    assert again.baselines == card.baselines
    assert again.best_model in ("VAR", "VAR-start")


def test_a_taken_name_takes_no_baseline_away() -> None:
    card = ft.backtest(small(ft.LSTM, alias="Ridge"), make_panel((90,)), n_windows=2, step=3)
    assert "Ridge-baseline" in card.baselines
    assert "Ridge" not in card.baselines


def test_a_subclass_of_attention_has_threads_and_explanation() -> None:
    panel = make_panel((80,))
    model = small(MyAttention).fit(panel)
    assert has_network(model)
    assert list(networks_in({"mine": model}, explained=True)) == ["mine"]
    assert list(networks_in({"w": ft.WithIntervals(model), "e": ft.Ensemble([model, MyPersistence(H)])})) == [
        "w", "e: MyAttention",
    ]  # fmt: skip
    assert np.isfinite(ft.explain.attention(model, panel).mean_weights).all()
    assert not has_network(ft.WithIntervals(MyPersistence(H)))
    assert networks_in({"v": small(VAR)}, explained=True) == {}


def test_a_class_called_as_one_of_the_table_is_none_of_it(tmp_path: Path) -> None:
    assert registered(VAR) is None
    assert {registered(forecaster_class(name)) for name in FORECASTERS} == set(FORECASTERS)
    model = ft.WithIntervals(MyPersistence(H)).fit(make_panel((80,)))
    with pytest.raises(ArtifactError, match="'MyPersistence' cannot be saved"):
        model.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_search_knows_a_subclass() -> None:
    from foretide.forecasters.sizes import Sizes
    from foretide.tuning.candidates import candidates_of

    setting = Sizes(rows=200, h=H, seasons=(7,))
    own, var = candidates_of([MyAttention, VAR], h=H, space=None, fixed={"epochs": 1}, calendar=None, setting=setting)
    assert set(own.space) >= {"hidden", "heads", "lr"}
    assert "max_order" not in var.space
    assert own.prunes
    assert var.prunes


def test_nothing_is_decided_by_the_name_of_a_class() -> None:
    source = Path(ft.__file__).parent
    keyed = re.compile(r"__name__\s*(==|!=|in\b|not in\b)|\.get\([^)]*__name__|\[[^\]]*__name__\]")
    # Offsets of pandas are known by their class's name only, and the guard against running as a script is Python's.
    allowed = {"data/calendar.py", "data/events.py", "data/seasons.py"}
    found = [
        f"{path.relative_to(source)}:{k}"
        for path in sorted(source.rglob("*.py"))
        for k, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if keyed.search(line) and '__name__ == "__main__"' not in line
        and str(path.relative_to(source)) not in allowed
    ]  # fmt: skip
    assert found == []
    assert issubclass(ft.LSTM, NeuralForecaster)
