"""Scorecard.plot: its lines are the card's own figures, and what a card has nothing for is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases import make_panel, times

import foretide as ft
from foretide.errors import ConfigError, DataError
from foretide.evaluation.cards.drawn import reliability_of
from foretide.evaluation.cards.look import CardLook
from foretide.evaluation.cards.plots import beside_truth
from foretide.pictures.picture import Band, Line
from pictures import labelled, neat


@pytest.fixture(scope="module")
def card() -> ft.Scorecard:
    panel = make_panel((120, 120))
    models = [ft.SeasonalNaive(5, 7, alias="Naive"), ft.SeasonalMean(5)]
    return ft.backtest(models, panel, n_windows=4, step=6, season=7, levels=(80, 95))


def test_the_default_shows_errors_by_step_and_fold_and_calibration(card: ft.Scorecard) -> None:
    figure = card.plot()
    steps, folds, calibration = figure.axes
    assert [a.get_title(loc="left") for a in figure.axes] == [
        "Error by horizon step", "Error by fold", "Reliability of the quantiles",
    ]  # fmt: skip
    best = CardLook(card).ranked[0]
    assert best in {text.get_text() for text in figure.legends[0].get_texts()}
    by_step, by_fold = card.scores(card.main, by="h_step")[best], card.scores(card.main, by="cutoff")[best]
    lines = {line.get_label(): line for line in steps.lines}
    np.testing.assert_allclose(lines[best].get_ydata(), by_step)
    np.testing.assert_allclose({line.get_label(): line for line in folds.lines}[best].get_ydata(), by_fold)
    table = card.reliability(best)
    drawn = {line.get_label(): line for line in calibration.lines}[best]
    np.testing.assert_allclose(drawn.get_ydata(), (table["below"] + table["at_or_below"]) / 2)
    neat(figure)
    labelled(figure)


def test_reliability_shows_some_lines_at_first_and_keeps_the_others(card: ft.Scorecard) -> None:
    look, names = CardLook(card), ["Naive", "SeasonalMean"]
    table = pd.concat([card.reliability(name).assign(model=name) for name in names])
    marks = reliability_of(look, table, names, names[1:]).first.panels[0].marks
    assert {m.name: m.hidden for m in marks if isinstance(m, Line) and m.name} == {"Naive": True, "SeasonalMean": False}


@pytest.mark.parametrize("kind", ["steps", "folds", "calibration", "forecasts"])
def test_each_kind_by_itself(card: ft.Scorecard, kind: str) -> None:
    figure = card.plot(kind)
    assert len(figure.axes) == (2 if kind == "forecasts" else 1)
    neat(figure)


def test_forecasts_stand_beside_the_truth_of_a_card_read_from_a_folder_too(card: ft.Scorecard, tmp_path: Path) -> None:
    card.save(tmp_path)
    for one in (card, ft.Scorecard.load(tmp_path)):
        look = CardLook(one)
        picture = beside_truth(look, "shop1")
        marks = {m.name: m for m in picture.first.panels[0].marks if isinstance(m, Line | Band)}
        best = look.ranked[0]
        assert {best, look.baselines[0], "observed", "80 % interval", "95 % interval"} <= set(marks)
        assert marks[best].colour == look.colour(best)
        at = np.flatnonzero(one.windows.entity == 1)[-1]
        np.testing.assert_allclose(marks[best].y[-5:], one.forecasts[best][at, :, 0])
        np.testing.assert_allclose(marks["observed"].y[-5:], one.truth[at, :, 0])


def test_what_cannot_be_drawn_is_said(card: ft.Scorecard) -> None:
    with pytest.raises(ConfigError, match="draws steps, folds, calibration, forecasts, not 'fold'. .*'folds'"):
        card.plot("fold")
    with pytest.raises(ConfigError, match=r"Type: card.plot\('forecasts', series=...\)"):
        card.plot(series="shop1")
    with pytest.raises(DataError, match="no series 'shop9'"):
        card.plot("forecasts", "shop9")
    panel = make_panel((60,))
    single = ft.score(
        [ft.Drift(1).fit(panel, until=times(panel, [50])[0]).predict(panel, times(panel, [50]), levels=())]
    )
    for kind, why in (("steps", "one step long"), ("folds", "one cutoff"), ("calibration", "no model has quantiles")):
        with pytest.raises(ConfigError, match=f"nothing to draw for '{kind}': .*{why}"):
            single.plot(kind)
    assert "observed" in {line.get_label() for line in single.plot().axes[0].lines}  # the forecasts are left


def test_a_start_is_not_among_those_that_stand_out_unless_it_is_the_best(card: ft.Scorecard) -> None:
    names = ["Net", "Ridge", "Net start", "Other"]
    for kinds, shown in (
        (["model", "baseline", "start", "model"], ["Net", "Other", "Ridge"]),
        (["start", "baseline", "model", "model"], ["Net", "Net start", "Other", "Ridge"]),
    ):
        own = CardLook(card)
        own.leaderboard = card.pandas(card.leaderboard()).head(4).assign(model=names, kind=kinds)
        assert own.shown == shown


def test_plotly_lists_the_pictures(card: ft.Scorecard) -> None:
    pytest.importorskip("plotly")
    menu = card.plot(interactive=True).layout.updatemenus[0]
    assert [b.label for b in menu.buttons] == ["Error by horizon step", "Error by fold", "Reliability of the quantiles"]
    assert replace(card, truth=card.truth).plot("folds", interactive=True).layout.title.text == "Error by fold"
