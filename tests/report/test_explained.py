"""What was found about models, as pictures of the page: their numbers are the tables', their words are made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pages
import pandas as pd
import pytest
from drawn import Chart, Drawn, on_page

from foretide.pictures.picture import Picture
from foretide.pictures.plotly import charts as charts_of
from foretide.report.content import Explained
from foretide.report.explained import sections
from foretide.report.explained.belief import belief_pictures, ranked
from foretide.report.explained.inputs import input_pictures
from foretide.report.explained.latent import latent_pictures, leading_loadings
from foretide.report.explained.path import path_picture, with_extremes
from foretide.report.render.page import script_json
from foretide.report.section import Section


def explained_sections(**changes: Any) -> dict[str, Section]:
    content = pages.content(**changes)
    made = (sections.belief(content), sections.latent(content), sections.inputs(content))
    return {section.id: section for section in made if section is not None}


def sizes(pictures: list[Picture]) -> int:
    """Characters that pictures take in a page."""
    return len(script_json(charts_of(pictures)))


@pytest.fixture(scope="module")
def charts() -> dict[str, Chart]:
    return {f"chart-{p.id}": on_page(p) for section in explained_sections().values() for p in section.pictures}


def views(chart: Chart) -> Iterator[Drawn]:
    """Every view with its whole layout."""
    yield from chart.views.values() or [Drawn(chart.data, chart.layout, chart.caption)]


def test_every_subject_has_its_pictures(charts: dict[str, Chart]) -> None:
    found = explained_sections()
    assert list(found) == ["belief", "latent", "inputs"]
    assert [f"chart-{picture.id}" for picture in found["belief"].pictures] == [
        "chart-masks-0", "chart-ranks-0", "chart-lags-0", "chart-entropy-0", "chart-focus-0", "chart-regimes-0",
    ]  # fmt: skip
    assert [f"chart-{picture.id}" for picture in found["latent"].pictures] == [
        "chart-modes-0", "chart-latent-0", "chart-responses-0", "chart-shares-0", "chart-effects-0",
        "chart-loadings-0", "chart-path-0",
    ]  # fmt: skip
    assert [f"chart-{picture.id}" for picture in found["inputs"].pictures] == ["chart-inputs-0"]
    assert found["belief"].facts == [f"It looks at lag 0. {pages.EVIL}"]
    assert [table.id for table in found["latent"].tables] == ["modes-0", "target_effects-0"]
    assert found["belief"].tables[1].columns[-1].name == "more than chance"


def test_every_axis_of_every_view_says_what_it_is(charts: dict[str, Chart]) -> None:
    seen = 0
    for chart in charts.values():
        for view in views(chart):
            titles = [view.layout[axis]["title"]["text"] for axis in ("xaxis", "yaxis")]
            assert all(len(title) >= 6 for title in titles), chart.id
            assert max(map(len, titles)) <= 52, titles  # a narrow page has no room for more
            seen += 1
    assert seen >= 25
    layout = charts["chart-lags-0"].layout
    assert layout["xaxis"]["title"]["text"] == "days before the forecast step (oldest left)"
    assert layout["xaxis"]["autorange"] == "reversed"


def test_names_that_are_markup_are_text(charts: dict[str, Chart]) -> None:
    for chart in charts.values():
        for view in views(chart):
            assert "<script>" not in json.dumps([view.data, view.layout]), chart.id
    assert pages.EVIL in charts["chart-responses-0"].pickers[0].options  # a list's options are plain text


def test_no_two_lines_or_bars_look_alike(charts: dict[str, Chart]) -> None:
    several = 0
    for chart in charts.values():
        for view in views(chart):
            marks = [
                (t["line"]["color"], t["line"].get("dash", "solid")) if "line" in t
                else (t["marker"]["color"], t["marker"].get("pattern", {}).get("shape"))
                for t in view.data if t.get("name") and ("line" in t or t["type"] == "bar")
            ]  # fmt: skip
            assert len(set(marks)) == len(marks), chart.id
            # Without colours too; bars of inputs are told apart by their names.
            assert chart.id == "chart-inputs-0" or len({mark[1] for mark in marks}) == len(marks), chart.id
            several += len(marks) > 1
    assert several > 5


def test_what_is_lacking_is_left_out() -> None:
    found = [
        Explained("Net", "Attention", ["Only words."]),
        Explained("Net", "Latent state", [], {"modes": pages.latent_tables()["modes"]}),
        Explained("Other", "Inputs", ["Words.", "More."]),
        Explained("Net", "Inputs", ["Words."]),
    ]
    made = explained_sections(explained=found)
    assert [len(section.pictures) for section in made.values()] == [0, 1, 0]
    assert made["inputs"].facts == ["Other: Words.", "Other: More.", "Net: Words."]
    lacking = {k: v for k, v in pages.attention_tables().items() if not k.startswith(("faith", "regime"))}
    assert [p.id for p in belief_pictures(Explained("Net", "Attention", [], lacking), "days")] == [
        "lags",
        "entropy",
        "focus",
    ]


# ------------------------------------------------------------------ attention
def test_the_error_with_masks(charts: dict[str, Chart]) -> None:
    chart = charts["chart-masks-0"]
    assert [line["y"] for line in chart.data] == [[1, 1.2, 1.4], [2, 2.4, 2.2], [1.1, 1.3, 2.4]]
    assert [line["name"] for line in chart.data][1:] == ["most attended lags masked", "as many random lags masked"]
    assert "with the most attended lag of 5 masked the error changes by +83.3%" in chart.caption
    assert "with as many random ones by +8.3%, the mean of 19 draws" in chart.caption
    assert "more harm at 2 of 3 steps" in chart.caption
    assert "+20.0% to +90.0%" in chart.caption
    assert "Verdict: not faithful" in chart.caption  # p of moving is 0.55


def test_where_the_true_error_lies(charts: dict[str, Chart]) -> None:
    masking, moving = charts["chart-ranks-0"].views.values()
    assert masking.data[1]["x"] == [20]
    assert masking.data[1]["y"] == [2.2]
    assert "number 20 of 20 from below; p = 0.05" in masking.caption
    # The draws reach from 1.29 down to 1.11; 1.2 is one of them, and counts against the true one.
    assert moving.data[1]["x"] == [11]
    assert moving.data[1]["y"] == [1.2]
    assert "number 11 of 20 from below; p = 0.55" in moving.caption
    assert len(moving.data[0]["x"]) == 19
    assert sorted(moving.data[0]["x"] + moving.data[1]["x"]) == list(range(1, 21))


def test_ranks_against_counting() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        draws, own = rng.integers(0, 6, size=19).astype(float), float(rng.integers(0, 6))
        high, low = ranked(draws, own, expected="high"), ranked(draws, own, expected="low")
        assert high.p_value == pytest.approx((1 + sum(d >= own for d in draws)) / 20)
        assert low.p_value == pytest.approx((1 + sum(d <= own for d in draws)) / 20)
        assert high.place == 1 + sum(d < own for d in draws)
        assert low.place == 1 + sum(d <= own for d in draws)
        for found in (high, low):
            assert found.values[found.place - 1] == own
            assert (np.diff(found.values) >= 0).all()


def test_where_it_looks_by_lag_by_distance_and_by_lead(charts: dict[str, Chart]) -> None:
    chart, weights = charts["chart-lags-0"], pages.attention().weights.astype(float)
    far, lag, lead = chart.views.values()
    profile = weights.mean(axis=(0, 1, 2))[::-1]
    assert lag.data[0]["y"] == pytest.approx(profile, abs=1e-4)
    assert sum(lead.data[0]["y"]) == pytest.approx(1, abs=1e-3)
    leads = np.bincount(4 - weights.argmax(axis=-1).reshape(-1), minlength=5)
    assert dict(zip(lead.data[0]["x"], lead.data[0]["y"], strict=True)) == pytest.approx(
        {k: n / leads.sum() for k, n in enumerate(leads) if n}, abs=1e-4
    )
    assert far.data[0]["x"] == [1, 2, 3, 4, 5, 6, 7]
    assert lead.layout["xaxis"]["range"] == [4.5, -0.5]  # lags that never lead have their place
    assert far.layout["shapes"][0]["y0"] == pytest.approx(1 / 5)
    top = int(profile.argmax())
    assert f"the largest mean weights lie {top} ({profile[top]:.4g})" in lag.caption


def test_entropy_and_its_limit(charts: dict[str, Chart]) -> None:
    chart = charts["chart-entropy-0"]
    assert [line["name"] for line in chart.data] == ["head 1", "head 2"]
    assert chart.data[0]["y"] == [0, 0, 0]  # head 1 looks at lag 0 alone
    assert chart.layout["shapes"][0]["y0"] == pytest.approx(np.log(5))
    assert "even over all 5 lags. Sharpest is head 1 at step 1, as spread out as over 1 lags; widest is head 2" in (
        chart.caption
    )


def test_shares_of_recent_and_seasonal_lags_add_up(charts: dict[str, Chart]) -> None:
    data = charts["chart-focus-0"].data
    assert np.sum([bars["y"] for bars in data], axis=0) == pytest.approx([100] * 3, abs=0.01)
    assert charts["chart-focus-0"].layout["barmode"] == "stack"


def test_events(charts: dict[str, Chart]) -> None:
    chart = charts["chart-regimes-0"]
    assert chart.data[0]["y"] == [0.3, 0.3, 0.4]
    assert chart.data[1]["y"] == [0.5, 0.3, 0.2]
    assert "2 windows are inside (an event), 3 outside" in chart.caption
    assert "farthest apart 1 days back: 0.5 inside, 0.3 outside; 1 of 2 figures" in chart.caption
    assert "97.5 % each, so that all hold together with 95 %" in chart.caption


# ------------------------------------------------------------------ latent state
def test_the_latent_error_has_its_interval_around_the_last_state(charts: dict[str, Chart]) -> None:
    chart = charts["chart-latent-0"]
    bars = chart.data[0]["error_y"]
    # At step 1: 1.5 - 0.9 = 0.6 to 1.5 - 0.1 = 1.4, around 1.
    assert (bars["arrayminus"], bars["array"]) == ([0.4, 0.5], [0.4, 0.5])
    assert "95 % intervals" in chart.caption
    assert "alone (1 of 2 steps)" in chart.caption


def test_responses_are_those_of_the_table(charts: dict[str, Chart]) -> None:
    chart, tables = charts["chart-responses-0"], pages.latent_tables()
    effects, table = tables["target_effects"], tables["impulse_responses"]
    options = list(chart.pickers[0].options)
    assert options == [*effects["target"], "latent state z1", "latent state z2"]
    assert (np.diff(effects["relative"]) <= 0).all()
    for k, name in enumerate([*effects["target"], "z1"]):
        for shock, line in zip(("z1", "z2"), chart.views[f"{k}/0"].data, strict=True):
            own = table[(table["name"] == name) & (table["shock"] == shock)]
            assert line["y"] == pytest.approx(own["response"], rel=1e-4)
            assert line["name"] == f"shock to {shock}"
    share = chart.views["0/1"]
    own = table[(table["name"] == options[0]) & (table["shock"] == "z1")]
    assert share.data[0]["y"] == pytest.approx(own["relative"] * 100, rel=1e-4)
    assert share.layout["yaxis"]["title"]["text"] == "response, % of the mean forecast"
    assert "standard units" in chart.views["3/1"].caption
    assert "Cholesky in the order z1, z2." in share.caption
    first = table[(table["name"] == options[0])]
    most = first.loc[first["response"].abs().idxmax()]
    assert f"Largest: {most['response']:.4g} by a shock to {most['shock']}, at that step" in chart.caption


def test_shares_of_the_variance_add_up(charts: dict[str, Chart]) -> None:
    chart = charts["chart-shares-0"]
    assert len(chart.views) == 5
    for view in chart.views.values():
        assert np.sum([bars["y"] for bars in view.data], axis=0) == pytest.approx([100] * pages.H, abs=0.01)


def test_the_targets_that_follow_most_come_first(charts: dict[str, Chart]) -> None:
    effects = pages.latent_tables()["target_effects"]
    assert charts["chart-effects-0"].data[0]["x"] == pytest.approx(effects["relative"] * 100, rel=1e-4)
    assert f"Farthest: {effects['target'][0]}" in charts["chart-effects-0"].caption


def test_loadings_stand_with_their_latent(charts: dict[str, Chart]) -> None:
    chart, table = charts["chart-loadings-0"], pages.latent_tables()["loadings"]
    correlation, slope = chart.views.values()
    strongest = [int(np.abs(row).argmax()) for row in correlation.data[0]["z"]]
    assert strongest == sorted(strongest)
    rows = [text[0] for text in correlation.data[0]["text"]]
    wide = table.pivot(index="column", columns="latent", values="correlation")
    for name, row in zip(rows, correlation.data[0]["z"], strict=True):
        assert row == pytest.approx(wide.loc[pages.EVIL if "&lt;" in name else name], rel=1e-4)
    for view, reach in ((correlation, 1.0), (slope, table["jacobian"].abs().max())):
        assert view.data[0]["zmax"] == -view.data[0]["zmin"] == pytest.approx(reach)
    few = leading_loadings(table, 2)
    assert few.left_out == 2
    assert set(few.columns) == set(wide.abs().max(axis=1).nlargest(2).index)


def test_the_path_marks_what_was_fitted_and_breaks_where_rows_are_missing() -> None:
    days = pd.date_range("2024-01-01", periods=60, freq="D").astype(str)
    table = pd.DataFrame({"id": np.nan, "ds": days, "z1": np.arange(60.0), "z2": -1.0, "fitted": np.arange(60) < 30})
    table = table[(table.index < 40) | (table.index >= 50)]
    picture = path_picture("Net", table, "days", 10_000)
    chart = on_page(picture)
    assert not chart.pickers
    assert picture.wide
    line = chart.data[0]
    assert line["y"].count(None) == 1
    assert line["y"][40] is None
    assert line["x"][39:42] == ["2024-02-09", "2024-02-09", "2024-02-20"]
    shape = chart.layout["shapes"][0]
    assert (shape["x0"], shape["x1"]) == ("2024-01-01", "2024-01-30")
    assert "Grey: up to 2024-01-30" in chart.caption
    assert "50 steps from 2024-01-01 to 2024-02-29. Farthest from zero: z1, 59 at 2024-02-29" in chart.caption


def test_long_paths_keep_their_extremes(charts: dict[str, Chart]) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=5000)
    kept = with_extremes(values, 600)
    assert len(kept) <= 600
    assert (np.diff(kept) > 0).all()
    for low in range(0, 4900, 50):  # no stretch loses its peak by more than its neighbours hold
        inside = kept[(kept >= low) & (kept < low + 50)]
        assert values[inside].max() == values[low : low + 50].max()
        assert values[inside].min() == values[low : low + 50].min()
    assert with_extremes(values[:600], 600).tolist() == list(range(600))
    assert charts["chart-path-0"].pickers[0].options == [pages.EVIL, "d"]


def test_hundreds_of_targets_fit() -> None:
    part = Explained("Net", "Latent state", [], pages.latent_tables(336, 8, 14, 300, 3000))
    made = latent_pictures(part, "days")
    assert sizes(made) < 600_000
    drawn = {f"chart-{picture.id}-0": on_page(picture) for picture in made}
    responses = drawn["chart-responses-0"]
    n = len(responses.pickers[0].options) - 8
    assert 20 <= n <= 60
    assert len({line["line"].get("dash") for line in responses.data}) == 8
    assert len({bars["marker"].get("pattern", {}).get("shape") for bars in drawn["chart-shares-0"].data}) == 8
    assert f"Here are {n} of 336 targets, those that shocks move most; the tables have all." in responses.caption
    assert "The 20 most moved of 336 targets." in drawn["chart-effects-0"].caption
    assert "The 20 columns with the largest correlations of 300 are shown." in drawn["chart-loadings-0"].caption
    assert max(len(line["x"]) for line in drawn["chart-path-0"].data) <= 600
    assert sizes(latent_pictures(part, "days", models=4)) < 250_000


# ------------------------------------------------------------------ inputs
def test_inputs_are_bars_with_intervals_and_those_above_chance_filled(charts: dict[str, Chart]) -> None:
    chart = charts["chart-inputs-0"]
    assert chart.pickers[0].options == ["all inputs", "past columns", "lags of the targets"]
    by_name = {bars["name"]: bars for bars in chart.data}
    assert list(by_name) == ["past columns", "past columns, no more than chance", "lags of the targets"]
    past = by_name["past columns"]
    assert (past["x"], past["y"]) == ([200], [0])  # 4 of 2 is 200 %
    assert (past["error_x"]["arrayminus"], past["error_x"]["array"]) == ([50], [50])
    assert "pattern" not in past["marker"]
    assert by_name["past columns, no more than chance"]["marker"]["pattern"]["shape"] == "/"
    assert by_name["past columns, no more than chance"]["y"] == [2]
    assert chart.layout["yaxis"]["range"][0] > chart.layout["yaxis"]["range"][1]  # the largest at the top
    assert "3 inputs, 2 of them matter by more than chance" in chart.caption
    assert "corrected for 3 inputs" in chart.caption
    assert f"Most: {pages.EVIL}, +200.0% of it" in chart.caption
    assert "lags 0-2, +50.0% of it" in chart.views["2"].caption


def test_many_inputs_come_in_pages_and_few_cutoffs_are_said() -> None:
    n = 45
    table = pd.DataFrame({
        "group": [f"c{k}" for k in range(n)], "kind": "past", "increase": np.arange(n, 0, -1.0), "low": np.nan,
        "high": np.nan, "p_holm": np.nan, "more_than_chance": False, "metric": "mae", "loss": 0.0, "level": 95.0,
    })  # fmt: skip
    (picture,) = input_pictures(Explained("Net", "Inputs", [], {"inputs": table}))
    chart = on_page(picture)
    assert chart.pickers[0].options == ["all inputs, 1 to 20", "all inputs, 21 to 40", "all inputs, 41 to 45"]
    assert chart.views["1"].data[0]["x"] == list(range(25, 5, -1))  # in units of the loss, which is zero
    assert "20 of 45 inputs, the cutoffs are too few for a test" in chart.caption
    assert chart.layout["xaxis"]["title"]["text"] == "growth of the MAE when replaced, original units"
    assert input_pictures(Explained("Net", "Inputs", [], {"inputs": table.head(0)})) == []
