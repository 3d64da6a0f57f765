"""The page: sections as the folder has them, text as text, one policy, figures told in words."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from importlib import resources
from typing import Any

import numpy as np
import pages
import pandas as pd
import pytest
from drawn import on_page
from html_reader import Reader

from foretide.evaluation.cards.drawn import fold_picture, step_picture
from foretide.report.content import Content
from foretide.report.explained.latent import latent_error_picture, mode_picture
from foretide.report.render.page import page as page_of
from foretide.report.run import calibration, errors
from foretide.report.run.boards import column_of
from foretide.report.section import sortable, text_of
from foretide.report.sections import report_of


def write_page(content: Content) -> str:
    return page_of(report_of(content))


@pytest.fixture(scope="module")
def page() -> str:
    return write_page(pages.content())


@pytest.fixture(scope="module")
def read(page: str) -> Reader:
    return Reader(page)


def test_every_section_is_there_and_linked(read: Reader) -> None:
    wanted = [
        "future", "summary", "leaderboard", "forecasts", "errors", "folds", "calibration", "looks", "training",
        "models", "settings", "data",
    ]  # fmt: skip
    assert [s["id"] for s in read.of("section")] == wanted
    detail = [d["id"] for d in read.of("details") if d.get("class") == "part"]
    assert detail == ["chance", "attention", "belief", "latent", "inputs"]
    links = [a["href"] for a in read.of("a")]
    assert links == ["#main", *(f"#{name}" for name in wanted)]
    identities = [attrs["id"] for _, attrs in read.elements if "id" in attrs]
    assert len(set(identities)) == len(identities)
    named = {attrs["aria-labelledby"] for _, attrs in read.elements if "aria-labelledby" in attrs}
    assert named <= set(identities)


def test_what_a_folder_lacks_is_left_out() -> None:
    lacking = pages.content(
        forecasts=None, folds=None, comparisons=None, reliability=None, coverage={}, attention={}, explained=[],
        history=None, by_step=None, by_series=None, future=None,
    )  # fmt: skip
    found = [s["id"] for s in Reader(write_page(lacking)).of("section")]
    assert found == ["summary", "leaderboard", "models", "settings", "data"]


def test_a_name_that_is_markup_is_text(page: str, read: Reader) -> None:
    assert pages.EVIL not in page
    assert read.text.count(pages.EVIL) >= 6  # heading, verdict, role, note, series table, explanation, settings
    assert len(read.scripts) == 3


def test_the_policy_names_exactly_the_scripts_of_the_page(page: str, read: Reader) -> None:
    policy = next(m["content"] for m in read.of("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert parts["default-src"] == "'none'"
    assert parts["img-src"] == "data: blob:"
    code = [
        gzip.decompress(base64.b64decode(text)).decode() if attrs.get("type") == "application/gzip" else text
        for attrs, text in read.scripts if attrs.get("type") != "application/json"
    ]  # fmt: skip
    assert len(code) == 2
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in code]
    assert parts["script-src"] == " ".join(f"'sha256-{h}'" for h in hashes)
    assert "unsafe" not in parts["script-src"]


def test_nothing_is_fetched(read: Reader) -> None:
    sources = [v for _, attrs in read.elements for k, v in attrs.items() if k in ("src", "href", "srcset", "action")]
    assert all(value is not None and value.startswith(("#", "data:")) for value in sources)


def test_the_page_is_small_and_its_data_reads_back(page: str, read: Reader) -> None:
    assert len(page.encode()) < 1_100_000  # plotly.js alone has 0.7 million, 1.5 unpacked
    (data,) = [json.loads(text) for attrs, text in read.scripts if attrs.get("type") == "application/json"]
    assert {"forecasts", "attention", "charts"} <= set(data)
    assert data["forecasts"]["reference"] == "Naive"
    shown = {attrs["id"] for tag, attrs in read.elements if attrs.get("class") == "plot" and tag == "div"}
    assert set(data["charts"]) | {"chart-attention", "chart-distance"} == shown


def test_pickers_have_labels_and_tables_have_captions(page: str) -> None:
    assert len(re.findall(r"<label>[^<]+<select ", page)) == page.count("<select") == 17
    assert page.count('<p class="caption"') == page.count("<table")
    assert page.count("<figcaption") == page.count("<figure")


def test_the_library_is_the_one_that_its_readme_names(read: Reader) -> None:
    vendor = resources.files("foretide.report.render") / "vendor"
    (sent,) = [text for attrs, text in read.scripts if attrs.get("type") == "application/gzip"]
    code = gzip.decompress(base64.b64decode(sent))
    assert base64.b64decode(sent) == (vendor / "plotly-cartesian.min.js.gz").read_bytes()
    assert hashlib.sha256(code).hexdigest() in (vendor / "README.md").read_text(encoding="utf-8")
    assert b"plotly.js (cartesian - minified) v4.1.1" in code[:200]
    assert b"</script" not in code.lower()  # it would end its own element
    assert "MIT License" in (vendor / "LICENSE-plotly.txt").read_text(encoding="utf-8")


# ------------------------------------------------------------------ figures in words and numbers
def test_axes_are_named_with_unit_and_direction() -> None:
    content = pages.content()
    section = errors.training(content)
    assert section is not None
    made = [
        step_picture(content, content.by_step), errors.series_picture(content), fold_picture(content, content.folds),
        calibration.reliability_picture(content), calibration.coverage_picture(content), *section.pictures,
    ]  # fmt: skip
    drawn = list(map(on_page, made))
    titles = {c.id: (c.layout["xaxis"]["title"]["text"], c.layout["yaxis"]["title"]["text"]) for c in drawn}
    assert titles["chart-steps"] == ("horizon step, days after the cutoff", "RMSE, original units")
    assert titles["chart-folds"] == ("cutoff of the fold, time (oldest left)", "RMSE, original units")
    assert titles["chart-training-0"][0] == "epoch (oldest left)"
    assert all(x and y for x, y in titles.values())


def test_captions_tell_the_figures() -> None:
    content = pages.content(
        folds=pd.DataFrame({
            "cutoff": ["2024-01-01", "2024-01-02", "2024-01-03"], "Net": [1.0, 4.0, 1.0], "Naive": 2.0, "Mean": 5.0,
        }),
        by_series=pd.DataFrame({"unique_id": ["a", "b", "c"], "Net": [1.0, 4.0, 0.0], "Naive": [2.0, 2.0, 0.0]}),
    )  # fmt: skip
    folds, series = on_page(fold_picture(content, content.folds)), on_page(errors.series_picture(content))
    assert "Net's RMSE over 3 folds: mean 2, least 1, largest 4 after 2024-01-02 (ring)." in folds.caption
    assert "Net has less on 1 of 2 series; its ratios reach from 0.5 to 2, median 1.25." in series.caption
    assert series.data[0]["x"] == [0.5, 2, None]
    assert series.layout["yaxis"]["ticktext"] == ["a", "b", "c"]  # few series stand by their names
    assert series.data[0]["text"] == ["a", "b", "c"]
    section = errors.training(content)
    assert section is not None
    training = on_page(section.pictures[0])
    assert "least after epoch 1 (0.6); epoch 0 is the start" in training.caption
    coverage = on_page(calibration.coverage_picture(content))
    assert "holds 70.0% of the truths at its worst step and 90.0% at its best" in coverage.caption


def test_the_latent_state_in_words() -> None:
    content = pages.content()
    known = content.explained[1].tables
    modes = on_page(mode_picture("Net", known["modes"]))
    rolled = on_page(latent_error_picture("Net", known["latent_errors"], content.steps))
    assert "3 of 3 eigenvalues lie inside" in modes.caption
    assert "largest modulus is 0.9. 1 pair swings, off the horizontal axis." in modes.caption
    assert modes.data[1]["text"][0] == "modulus 0.9, half-life 6.58, period –"
    assert "less error than the last state kept at 1 of 2 steps: 1 against 1.5 at step 1" in rolled.caption


def test_reliability_counts_ties_half() -> None:
    chart = on_page(calibration.reliability_picture(pages.content()))
    assert chart.data[1]["y"] == [0.1, 0.9]
    assert chart.data[1]["error_y"]["array"] == [0.05, 0]


def test_a_model_has_one_colour_everywhere() -> None:
    content = pages.content()
    steps, folds = on_page(step_picture(content, content.by_step)), on_page(fold_picture(content, content.folds))
    colours = [
        {line["name"]: line["line"]["color"] for line in chart.data if "line" in line} for chart in (steps, folds)
    ]
    assert colours[0] == colours[1]
    assert len(set(colours[0].values())) == 3


@pytest.mark.parametrize(
    ("column", "value", "text", "number"),
    [
        ("rmse", 1.23456, "1.235", 1.23456), ("coverage_80", 0.805, "80.5%", 0.805), ("mase", np.nan, "–", None),
        ("skill_vs_best_baseline", -1.5, "-150.0%", -1.5), ("name", "x", "x", None), ("seconds", None, "–", None),
    ],
)  # fmt: skip
def test_cells(column: str, value: Any, text: str, number: float | None) -> None:
    assert (text_of(value, column_of(column).kind), sortable(value)) == (text, number)
