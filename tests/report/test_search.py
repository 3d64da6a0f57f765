"""The page of a search: every section from the table of trials, text as text, figures told in words."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import search_pages
from drawn import Chart, in_file, on_page
from html_reader import Reader
from search_pages import BROKEN, EVIL, N_NET, NET, RIDGE, finished

from foretide.errors import ConfigError
from foretide.pictures.picture import Picture
from foretide.pictures.plotly import escaped
from foretide.report.render.page import page as page_of
from foretide.report.search import sections
from foretide.report.search.content import SearchContent
from foretide.report.search.importances import MOST_BARS, importance_picture, importance_words
from foretide.report.search.slices import MOST_POINTS, pair_picture, parallel_picture, slice_picture, thinned
from foretide.report.sections import report_of
from foretide.tuning.drawn import MOST_TOLD, Limits, history_picture
from foretide.tuning.trials import ceiling, parameters, scale_of


def write_search_page(content: SearchContent) -> str:
    return page_of(report_of(content))


WANTED = ["summary", "leaderboard", "history", "importance", "slices", "trials", "failures", "best", "settings"]


@pytest.fixture(scope="module")
def page() -> str:
    return write_search_page(search_pages.content())


@pytest.fixture(scope="module")
def read(page: str) -> Reader:
    return Reader(page)


def chart(picture: Picture | None) -> Chart:
    return on_page(picture)


def named(chart: Chart) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in chart.data}


# ------------------------------------------------------------------ the page
def test_every_section_is_there_and_linked(read: Reader) -> None:
    assert [s["id"] for s in read.of("section")] == WANTED
    assert [a["href"] for a in read.of("a")] == ["#main", *(f"#{name}" for name in WANTED)]
    identities = [attrs["id"] for _, attrs in read.elements if "id" in attrs]
    assert len(set(identities)) == len(identities)
    named = {attrs["aria-labelledby"] for _, attrs in read.elements if "aria-labelledby" in attrs}
    assert named <= set(identities)


def test_a_name_that_is_markup_is_text(page: str, read: Reader) -> None:
    assert EVIL not in page
    # Heading, verdict, note, leaderboards, lists, captions, trials, error, spaces, both files.
    assert read.text.count(EVIL) > 40
    assert len(read.scripts) == 3


def test_the_verdict_of_the_search_comes_first_then_that_of_the_test_part(page: str) -> None:
    text = Reader(page.split('<section id="summary"')[1].split("</section>")[0]).text
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    assert lines[2:4] == [f"Net is best. {EVIL}", "On the test part, which no trial has seen: Net saves 3 %."]
    counts = "38 trials of 3 models: 32 finished, 1 pruned, 3 failed, 1 interrupted, 1 without a finite value"
    assert counts in lines
    assert (
        "2 inner folds, cutoffs from 2024-01-01 to 2024-01-08; 12 windows, the same for all trials and baselines"
        in lines
    )
    assert f"Note: a note {EVIL}" in lines
    facts = {**search_pages.content().facts, "test_verdict": ""}
    assert "The best model was not judged on the test part." in write_search_page(search_pages.content(facts=facts))


def test_what_a_folder_lacks_is_left_out() -> None:
    table = finished(RIDGE).reset_index(drop=True)
    lacking = search_pages.content(
        trials=table, importances={}, test_board=None, spaces={}, about={}, tuned="", versions={}, storage="",
        facts={**search_pages.content().facts, "best": None},
    )  # fmt: skip
    assert [section.id for section in report_of(lacking).sections] == [
        "summary", "leaderboard", "history", "slices", "trials", "settings",
    ]  # fmt: skip
    why = search_pages.content(importances={}, missing="Optuna is missing.")
    section = sections.importance(why)
    assert section is not None
    assert (list(section.sentences), list(section.pictures)) == (["Optuna is missing."], [])


def test_very_many_trials_do_not_stand_under_the_pointer_with_their_settings() -> None:
    one = search_pages.content()
    many = pd.concat([one.trials] * (MOST_TOLD // len(one.trials) + 1), ignore_index=True)
    many["number"] = np.arange(len(many))

    def value_text(content: SearchContent) -> str:
        (trace,) = [t for t in chart(history_picture(content)).data if t.get("name") == escaped(NET)]
        return str(trace["text"][0])

    assert "<br>" in value_text(one)
    assert "<br>" not in value_text(search_pages.content(trials=many))
    assert value_text(one).startswith("trial ")


def test_each_file_has_its_name(page: str) -> None:
    shown = re.findall(r"<summary>([a-z]+\.yaml)</summary>\s*<pre[^>]*>name: (\w+)", page)
    assert shown == [("tuned.yaml", "tuned"), ("settings.yaml", "asked")]
    assert "<summary>settings.yaml</summary>" in write_search_page(search_pages.content(tuned=""))


def test_the_page_is_small_and_its_data_reads_back(page: str, read: Reader) -> None:
    assert len(page.encode()) < 2_300_000  # plotly.js alone has 1.9 million
    (data,) = [json.loads(text) for attrs, text in read.scripts if attrs.get("type") == "application/json"]
    drawn = ["chart-history", "chart-importance", "chart-slices", "chart-pairs", "chart-parallel"]
    assert list(data["charts"]) == drawn
    assert [attrs["id"] for attrs in read.of("div") if attrs.get("class") == "plot"] == drawn
    assert (
        len(re.findall(r"<label>[^<]+<select ", page)) == page.count("<select") == 4
    )  # one model has all settings side by side
    assert page.count('<p class="caption"') == page.count("<table") == 7


def test_a_password_is_not_shown(page: str) -> None:
    assert "postgresql://me:***@host/db" in page
    assert "cret" not in page


def test_no_trials_are_refused() -> None:
    with pytest.raises(ConfigError, match="There is no trial to show"):
        write_search_page(search_pages.content(trials=search_pages.trials()[:0]))


# ------------------------------------------------------------------ history
def test_history_shows_every_trial_and_the_best_so_far() -> None:
    found = chart(history_picture(search_pages.content()))
    drawn, table = named(found), search_pages.trials()
    net = finished(NET)
    name = NET.replace("<", "&lt;").replace(">", "&gt;")
    assert drawn[name]["x"] == net["number"].tolist()
    assert drawn[name]["y"] == pytest.approx(net["value"].tolist(), rel=1e-4)
    assert drawn[RIDGE]["x"] == finished(RIDGE)["number"].tolist()
    best, twin = math.inf, []
    for value in table["value"]:
        if math.isfinite(value):
            best = min(best, value)
            twin.append(best)
    step = drawn["best so far"]
    assert step["line"]["shape"] == "hv"
    assert step["y"] == pytest.approx([*twin, twin[-1]], rel=1e-4)
    assert step["x"][-1] == 37
    assert drawn["best"]["x"] == [int(table["value"].idxmin())]
    marks = {name: drawn[f"{name} ({n})"]["x"] for name, n in (
        ("pruned", 1), ("failed", 3), ("interrupted", 1), ("without a finite value", 1),
    )}  # fmt: skip
    assert marks == {"pruned": [35], "failed": [32, 33, 34], "interrupted": [36], "without a finite value": [37]}
    assert drawn["best baseline"]["y"] == [0.95, 0.95]
    assert (
        drawn["failed (3)"]["text"][0]
        == "trial 32, Broken: failed<br>ValueError: no &lt;script&gt;alert(1)&lt;/script&gt;"
    )
    assert found.layout["yaxis"]["title"]["text"] == "RMSE, original units<br>(lower is better)"


def test_under_the_pointer_stands_the_whole_trial_without_markup() -> None:
    text = named(chart(history_picture(search_pages.content())))[NET.replace("<", "&lt;").replace(">", "&gt;")]["text"]
    line = search_pages.trials().iloc[2]
    safe = EVIL.replace("<", "&lt;").replace(">", "&gt;")
    assert text[2] == (
        f"trial 2, Net {safe}: RMSE {line['value']:.4g}<br>lr {line['lr']:.4g}, cell none, hidden {line['hidden']}"
    )
    assert f"cell {safe}" in text[0]


def test_the_caption_of_the_history_tells_its_figures() -> None:
    caption = chart(history_picture(search_pages.content())).caption
    values = search_pages.trials()["value"]
    best = values.idxmin()
    assert caption.startswith("38 trials: 32 finished, 1 pruned, 3 failed, 1 interrupted, 1 without a finite value.")
    assert f"The best (ring) is trial {best}, {NET}, RMSE {values[best]:.4g}" in caption
    assert f"fell by {1 - values[best] / values[0]:.1%} from {values[0]:.4g}, trial 0; {31 - best} trials" in caption
    assert "1 trial lies above the picture, worst 900: triangles at the upper edge" in caption
    assert "Best simple baseline: SeasonalNaive, 0.95 (dotted line)." in caption
    assert caption.endswith("without a value: | pruned, × failed, + interrupted, * without a finite value.")


@pytest.mark.parametrize(("baseline", "where"), [(0.95, ""), (50.0, "above"), (-50.0, "below")])
def test_the_axis_leaves_out_what_is_far_away_on_the_page_and_in_files(baseline: float, where: str) -> None:
    content = search_pages.content(baselines={"Drift": baseline})
    picture = history_picture(content)
    found, (axes,) = on_page(picture), in_file(picture).axes
    low, high = found.layout["yaxis"]["range"]
    assert axes.get_ylim() == pytest.approx((low, high), rel=1e-4)
    assert ("best baseline" in named(found)) == (where == "")
    assert ("best baseline" in {text.get_text() for text in axes.get_legend().get_texts()}) == (where == "")
    assert f"Drift, {baseline:g} ({f'{where} the picture' if where else 'dotted line'})" in found.caption
    assert "1 trial lies above the picture, worst 900" in found.caption
    edge = named(found)["above (1)"]["y"][0]
    assert ceiling(content.done["value"].to_numpy()) < edge < high


def test_limits_of_few_values() -> None:
    assert Limits.of(np.array([2.0]), None) == Limits(2.0, 2.0)
    assert Limits.of(np.array([2.0]), None).span == 2.0
    assert Limits.of(np.array([0.0, 0.0]), None).span == 1.0
    assert Limits.of(np.array([]), ("Drift", 2.0)) == Limits(1.8, 2.2)
    assert Limits.of(np.array([100.0]), ("Drift", 150.0)) == Limits(100.0, 150.0)
    even = np.linspace(1, 2, 9)
    assert Limits.of(even, ("Drift", 2.4), reach=0.5) == Limits(1.0, 2.4)
    assert Limits.of(even, ("Drift", 2.6), reach=0.5) == Limits(1.0, 2.0, "above")
    assert Limits.of(even, ("Drift", 0.4), reach=0.5) == Limits(1.0, 2.0, "below")
    assert Limits.of(np.array([1.0, 1.1, 1.2, 1.3, 90.0]), None).high == 1.3


def test_history_without_a_value() -> None:
    table = search_pages.trials()
    found = chart(history_picture(search_pages.content(trials=table[table["model"] == BROKEN].reset_index(drop=True))))
    assert found.layout["annotations"][0]["text"] == "no trial has a value"
    assert found.caption.startswith("3 trials: 3 failed.")
    assert {"failed (3)", "best baseline"} == set(named(found))


# ------------------------------------------------------------------ importance
def test_importances_are_sorted_and_told_as_in_the_summary() -> None:
    content = search_pages.content()
    found = chart(importance_picture(content))
    assert [list(p.options) for p in found.pickers] == [[NET, RIDGE, BROKEN]]
    (bars,) = found.views["0"].data
    assert (bars["y"], bars["x"], bars["text"]) == ([0, 1, 2], [0.75, 0.2, 0.05], ["75%", "20%", "5%"])
    assert found.views["0"].layout["yaxis"]["ticktext"] == ["lr", "hidden", "cell"]
    said = importance_words(content.trials, NET, content.importances[NET])
    assert "lr (75%; smaller did better, rank correlation +" in said
    assert found.views["0"].caption == f"{NET}: {said}. An even share would be 33%."
    assert found.views["2"].data == []
    assert found.views["2"].caption == "Broken: no clear pattern can be told from 0 finished trials."
    assert importance_picture(search_pages.content(importances={})) is None


def test_many_settings_share_a_sentence() -> None:
    shares = {f"s{k}": (k + 1) / 210 for k in range(20)}
    found = chart(importance_picture(search_pages.content(importances={NET: shares})))
    assert found.pickers == ()
    assert len(found.data[0]["y"]) == MOST_BARS
    rest = sum(sorted(shares.values())[: 20 - MOST_BARS])
    assert f"{20 - MOST_BARS} further settings have {rest:.0%} together." in found.caption


# ------------------------------------------------------------------ slices and pairs
def test_a_slice_for_every_model_and_setting() -> None:
    found = chart(slice_picture(search_pages.content()))
    assert [list(p.options) for p in found.pickers] == [[NET, RIDGE], ["lr", "hidden", "cell", "alpha"]]
    assert set(found.views) == {f"{i}/{k}" for i in range(2) for k in range(4)}
    net, view = finished(NET), found.views["0/0"]
    points = view.data[0]
    assert points["x"] == pytest.approx(net["lr"].tolist(), rel=1e-4)
    assert points["y"] == pytest.approx(net["value"].tolist(), rel=1e-4)
    axis = {key: view.layout["xaxis"][key] for key in ("type", "tickformat", "dtick", "title")}
    assert axis == {"type": "log", "tickformat": "~g", "dtick": 1, "title": {"text": "lr (log) →"}}
    assert found.views["1/0"].data == []
    assert found.views["1/0"].caption == "lr of Ridge was not searched. What was: alpha."
    linear = found.views["1/3"].layout["xaxis"]
    assert (linear["title"]["text"], "type" in linear) == ("alpha →", False)


def test_captions_of_slices_by_a_slow_loop() -> None:
    views = chart(slice_picture(search_pages.content())).views
    net = finished(NET).sort_values("value")
    best = net.iloc[0]
    top = [float(v) for v in net["lr"][:4]]
    every = [float(v) for v in net["lr"]]
    assert views["0/0"].caption == (
        f"{NET}: trial {best['number']}, the best (star), has lr {best['lr']:.4g}. The best 4 of 20 trials lie from "
        f"{min(top):.4g} to {max(top):.4g}, all from {min(every):.4g} to {max(every):.4g}. 1 trial lies above the "
        "picture, worst 900: triangles at the upper edge; a double-click on the picture shows the whole range. Best "
        "simple baseline: SeasonalNaive, 0.95 (dotted line)."
    )
    least = {}
    for cell, value in zip(net["cell"], net["value"], strict=True):
        key = "none" if cell is None else cell
        least[key] = min(least.get(key, math.inf), value)
    order = sorted(least, key=lambda key: least[key])
    counts = net["cell"].map(lambda cell: "none" if cell is None else cell).value_counts()
    told = ", ".join(f"{cell} {least[cell]:.4g} ({counts[cell]} trials)" for cell in order)
    assert f"Least RMSE by choice: {told}. Trials with the same choice are drawn side by side." in views["0/2"].caption


def test_trials_with_the_same_choice_lie_side_by_side() -> None:
    view = chart(slice_picture(search_pages.content())).views["0/2"]
    places = [[EVIL, "gru", None].index(cell) for cell in finished(NET)["cell"]]
    assert np.rint(view.data[0]["x"]).tolist() == places
    assert len(set(view.data[0]["x"])) == N_NET
    axis = view.layout["xaxis"]
    assert axis["ticktext"] == ["&lt;script&gt;alert(1)&lt;…", "gru", "none"]
    assert axis["title"]["text"] == "cell (choices)"


def test_a_baseline_far_from_a_models_trials_does_not_press_them_together() -> None:
    view = chart(slice_picture(search_pages.content(baselines={"Drift": 1.5}))).views["0/0"]
    assert view.layout["yaxis"]["range"][1] < 1
    assert "best baseline" not in {trace["name"] for trace in view.data}
    assert view.caption.endswith("Best simple baseline: Drift, 1.5 (above the picture).")


def test_pairs_are_coloured_by_value_and_the_terrible_one_does_not_bleach_the_others() -> None:
    found = chart(pair_picture(search_pages.content()))
    (picker,) = found.pickers
    assert list(picker.options) == [f"{NET}: lr and hidden", f"{NET}: lr and cell", f"{NET}: hidden and cell"]
    net = finished(NET).sort_values("value", ascending=False)
    points = found.views["0"].data[0]
    assert points["x"] == pytest.approx(net["lr"].tolist(), rel=1e-4)
    assert points["y"] == pytest.approx(net["hidden"].astype(float).tolist())
    top = ceiling(net["value"].to_numpy())
    assert points["marker"]["cmax"] == top < 1
    assert points["marker"]["color"] == pytest.approx(np.minimum(net["value"], top).tolist(), rel=1e-4)
    assert f"Lightest: 1 trial above {top:.4g}, worst 900." in found.views["0"].caption
    assert pair_picture(search_pages.content(trials=finished(RIDGE).reset_index(drop=True))) is None


def test_of_very_many_trials_some_are_drawn_and_the_best_among_them() -> None:
    few = pd.DataFrame({"value": np.arange(500, 0, -1.0)})
    assert thinned(few, 500) is few
    values = np.ones(5000)
    values[1234] = 0.5
    part = thinned(pd.DataFrame({"value": values, "number": range(5000)}), 500)
    assert 499 <= len(part) <= 500
    assert 1234 in set(part["number"])
    assert np.diff(part["number"]).max() <= 12
    table = pd.concat([finished(RIDGE)] * 130 + [finished(NET)[:1]], ignore_index=True)
    table["number"] = range(len(table))
    found = chart(slice_picture(search_pages.content(trials=table))).views["1/3"]
    shown = len(found.data[0]["x"])
    assert MOST_POINTS // 2 - 1 <= shown <= MOST_POINTS // 2  # of two models
    assert f"Shown are {shown} of {len(table) - 1} trials, evenly spread over the search, the best" in found.caption


def test_axes_are_named_with_direction() -> None:
    content = search_pages.content()
    pictures = (importance_picture(content), slice_picture(content), pair_picture(content), parallel_picture(content))
    made = [chart(history_picture(content)), *map(chart, pictures)]
    for one in made:
        for axis in ("xaxis", "yaxis"):
            assert one.layout[axis]["title"]["text"], one.id
    assert made[0].layout["xaxis"]["title"]["text"] == "number of the trial, in order of its start →"


# ------------------------------------------------------------------ all settings side by side
def test_lines_across_all_settings_end_at_their_value() -> None:
    picture = parallel_picture(search_pages.content())
    found, net = chart(picture), finished(NET)
    assert found.pickers == ()  # Ridge has one setting
    best = found.data[-1]
    assert best["name"] == f"best: trial {net['value'].idxmin()}"
    values = np.minimum(net["value"], ceiling(net["value"].to_numpy()))
    shares = (values - values.min()) / (values.max() - values.min())
    lr = np.log(net["lr"].astype(float))
    logs = (lr - lr.min()) / (lr.max() - lr.min())
    drawn = sorted((line["y"][k], line["y"][k + 3]) for line in found.data[:-1] for k in range(0, len(line["y"]), 5))
    assert np.array(drawn) == pytest.approx(np.array(sorted(zip(logs, shares, strict=True))), abs=1e-4)
    assert best["y"] == pytest.approx([logs.min(), *best["y"][1:3], 0], abs=1e-4)
    assert len({line["line"]["color"] for line in found.data}) > 3
    (axes,) = in_file(picture).axes
    assert [label.get_text().split("\n")[0] for label in axes.get_xticklabels()] == ["lr", "hidden", "cell", "RMSE"]
    assert "1 trial above" in found.caption


# ------------------------------------------------------------------ the table of trials
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 1.1, 1e6], 1.1),
        ([1.0, 1.2], 1.2),
        ([5.0], 5.0),
        ([1.0] * 8 + [1.001, 40.0], 1.001),
        ([*np.linspace(1, 2, 20), 2.9, 30.0, 1e9], 2.9),
        ([0.1, 10.0, 10.1, 10.2, 10.3], 10.3),  # a very good trial hides no other
    ],
)
def test_the_axis_ends_below_terrible_values(values: list[float], expected: float) -> None:
    assert ceiling(np.array(values)) == expected


def test_parameters_and_their_scales() -> None:
    assert parameters(search_pages.trials(), NET) == ["lr", "cell", "hidden"]
    assert parameters(search_pages.trials(), "Other") == []
    few = scale_of("n", [64, 8, 8, 64.0], log=True)
    assert (few.kind, few.choices, few.values.tolist()) == ("choice", ("8", "64"), [1, 0, 0, 1])
    assert scale_of("n", [1, 2, 3], log=False).kind == "linear"
    assert scale_of("n", [0, 2, 3], log=True).kind == "linear"
    assert scale_of("n", [True, False, None], log=False).choices == ("False", "True", "none")
    assert scale_of("n", [(32, 16), [8]], log=False).choices == ("(32, 16)", "[8]")
    assert scale_of("n", [65536] * 2, log=False).choices == ("65536",)


def test_a_table_that_lacks_columns_is_refused() -> None:
    table = search_pages.trials().drop(columns=["state", "seed"])
    with pytest.raises(ConfigError, match="number, .*; this one lacks state, seed"):
        report_of(search_pages.content(trials=table))
