"""A picture in the hand: matplotlib's without pyplot, or plotly's with a list of what can be shown."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from matplotlib.figure import Figure

from foretide.errors import MissingExtraError
from foretide.pictures.picture import Axis, Line, Picture, Rule, View
from foretide.pictures.show import show
from foretide.pictures.style import TEXT

WITH_PLOTLY = pytest.mark.skipif(importlib.util.find_spec("plotly") is None, reason="plotly is not installed")


def two() -> Picture:
    views = {
        "a <b>": View.of([Line("up", [1, 2], [1, 2], TEXT), Rule(1.5)], Axis("x"), Axis("y"), title="a <b>"),
        "c": View.of([Line("down", [1, 2], [2, 1]), Line("flat", [1, 2], [1, 1])], Axis("x"), Axis("y"), title="c"),
    }
    return Picture.with_list("two", "Two of them", "Series", views)


def test_matplotlib_shows_all_views_with_one_legend_and_each_title_once() -> None:
    figure = show(two())
    assert isinstance(figure, Figure)
    first, second = figure.axes
    assert [axes.get_title(loc="left") for axes in (first, second)] == ["a <b>", "c"]
    assert [axes.get_ylabel() for axes in (first, second)] == ["y", ""]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["up", "down", "flat"]
    assert first.get_legend() is second.get_legend() is None


def test_a_notebook_gets_a_picture_and_pyplot_is_not_touched() -> None:
    code = (
        "import sys; from foretide.pictures.picture import *; from foretide.pictures.show import show;"
        "figure = show(Picture.one('p', '', '', [Line('a', [1, 2], [1, 2])], Axis('x'), Axis('y')));"
        "assert figure._repr_png_().startswith(b'\\x89PNG'); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@WITH_PLOTLY
def test_plotly_shows_one_view_and_lists_the_others() -> None:
    figure = show(two(), interactive=True)
    assert [trace.name for trace in figure.data] == ["up", "down", "flat"]
    assert [trace.visible for trace in figure.data] == [True, False, False]
    assert figure.data[0].line.color == "#1a1a1a"  # the theme's colours are known to pages only
    (menu,) = figure.layout.updatemenus
    assert [button.label for button in menu.buttons] == ["a &lt;b&gt;", "c"]
    seen, layout = menu.buttons[1].args
    assert seen["visible"] == [False, True, True]
    assert (len(figure.layout.shapes), layout["shapes"]) == (1, [])
    assert menu.buttons[0].args[0]["visible"] == [True, False, False]
    assert "a &lt;b&gt;" in figure.to_json()
    assert "a <b>" not in figure.to_json()


@WITH_PLOTLY
def test_a_single_view_has_its_title_and_no_list() -> None:
    view = View.of([Line("a", [1, 2], [1, 2])], Axis("x"), Axis("y"), title="milk")
    figure = show(Picture.with_list("one", "", "Series", {"milk": view}), interactive=True)
    assert (figure.layout.title.text, figure.layout.updatemenus) == ("milk", ())


def test_without_plotly_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(MissingExtraError, match=r"interactive=True needs .*pip install 'foretide\[plotly\]'"):
        show(two(), interactive=True)
