"""The pictures of the page as files: every one of them, on white, without what waits in a legend."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pages
import pytest

from foretide.errors import ConfigError, ForetideError, MissingExtraError
from foretide.report.html import sections_of, write_figures
from foretide.report.html.chart import Chart, Picker, View, titles
from foretide.report.html.render import Section
from foretide.report.html.static import figures_of, named

pio = pytest.importorskip("plotly.io")
pytest.importorskip("kaleido")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

SECOND = "one-b--i--share-95a1749f"
"""Digits follow a name that no file can have."""


def line(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "scatter", "x": [1, 2], "y": [1, 2], "name": name, "line": {"color": "@text"}, **more}


def picked() -> Section:
    views = {"0/0": View([line("a")], "first"), "1/0": View([line("b")], "second", {"yaxis": {"type": "log"}})}
    chart = Chart.picked(
        "chart-one", "One", [Picker("Target", ["a", "b <i>"]), Picker("Unit", ["share"])], views, titles("x", "y")
    )
    return Section("s", "S", charts=[chart])


def test_every_picture_of_the_page_has_a_file() -> None:
    content = pages.content()
    sections = sections_of(content)
    made = dict(figures_of(sections, content))
    wanted = [chart for s in sections for chart in s.charts]
    assert {"steps", "folds", "reliability", "modes-modes-of-net-s-latent-state", "training-net"} <= set(made)
    assert sum(len(chart.views) or 1 for chart in wanted) + 5 == len(made)  # three series, two of attention
    assert {"attention-Net", "attention-Net-by-distance", "forecasts-d"} <= set(made)
    assert any(name.startswith("forecasts-b---c-") for name in made)  # digits follow a name that no file can have
    for name, figure in made.items():
        assert "@" not in json.dumps(figure["layout"]), name
        assert figure["layout"]["xaxis"]["title"]["text"], name
        assert figure["layout"]["yaxis"]["title"]["text"], name
        pio.from_json(json.dumps(figure))  # plotly.py checks every key


def test_a_forecast_on_paper_holds_what_the_page_shows_first() -> None:
    content = pages.content()
    made = dict(figures_of(sections_of(content), content))
    traces = {trace["name"]: trace for trace in made["forecasts-d"]["data"]}
    assert list(traces) == ["95 % interval of Net", "80 % interval of Net", "Net", "Naive", "truth"]
    assert traces["truth"]["line"]["color"] == "#1a1a1a"
    # Two windows of three steps, a gap before the second one.
    assert [v is None for v in traces["Net"]["y"]] == [False] * 3 + [True] + [False] * 3
    kept = [v for v in traces["Net"]["y"] if v is not None]
    assert kept == [y + 1 for y in traces["truth"]["y"]]


def test_each_choice_is_a_picture_and_hidden_lines_are_left_out() -> None:
    made = dict(figures_of([picked()], None))
    assert list(made) == ["one-a-share", SECOND]
    assert made[SECOND]["layout"]["yaxis"]["type"] == "log"
    chart = Chart("chart-c", "C", "", [line("a"), line("b", visible="legendonly")], titles("x", "y"))
    (figure,) = dict(figures_of([Section("s", "S", charts=[chart])], None)).values()
    assert [trace["name"] for trace in figure["data"]] == ["a"]


def test_names_that_become_the_same_get_a_number() -> None:
    twice = named(figures_of([picked(), picked()], None))
    assert list(twice) == ["one-a-share", SECOND, "one-a-share-2", f"{SECOND}-3"]


@pytest.mark.browser
def test_files_are_whole(tmp_path: Path) -> None:
    if not CHROMIUM:
        pytest.skip("chromium is not on the path: apt-get install chromium")
    paths = write_figures([picked()], None, tmp_path / "figures", ["svg", "png"])
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == sorted(p.name for p in paths)
    drawn = (tmp_path / "figures" / "one-a-share.svg").read_text(encoding="utf-8")
    assert ">x</text>" in drawn
    assert ">y</text>" in drawn
    assert (tmp_path / "figures" / "one-a-share.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_drawn_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="can be svg, png, pdf, not 'svgg'. Did you mean 'svg'"):
        write_figures([picked()], None, tmp_path, ["svgg"])

    def none(*_: Any, **__: Any) -> None:
        raise RuntimeError("Kaleido requires Google Chrome to be installed.")

    with monkeypatch.context() as patch:
        patch.setattr(pio, "write_images", none)
        with pytest.raises(ForetideError, match="drawn by Chrome or Chromium, and none was found. Install one"):
            write_figures([picked()], None, tmp_path, ["svg"])
    monkeypatch.setitem(sys.modules, "kaleido", None)
    with pytest.raises(MissingExtraError, match=r"'kaleido'.*pip install 'foretide\[figures\]'"):
        write_figures([picked()], None, tmp_path, ["svg"])
