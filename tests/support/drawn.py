"""Pictures as a page and a file draw them, for tests of their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from foretide.pictures.matplotlib import draw
from foretide.pictures.picture import Choice, Picture, View
from foretide.pictures.plotly import chart


@dataclass(frozen=True)
class Drawn:
    """What plotly.js gets for one view."""

    data: list[dict[str, Any]]
    layout: dict[str, Any]
    caption: str


@dataclass(frozen=True)
class Chart:
    """A picture on a page: what it shows at first, and for each choice."""

    id: str
    title: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    caption: str
    pickers: Sequence[Choice]
    views: dict[str, Drawn]


def on_page(picture: Picture | None) -> Chart:
    """Draw a picture for a page."""
    assert picture is not None
    first = _view(picture.first)
    views = {"/".join(map(str, key)): _view(view) for key, view in picture.views.items()}
    return Chart(
        f"chart-{picture.id}", picture.title, first.data, first.layout, first.caption, picture.lists,
        views if picture.lists else {},
    )  # fmt: skip


def in_file(picture: Picture | None) -> Figure:
    """Draw the first view of a picture for a file."""
    assert picture is not None
    return draw(picture.first.panels, picture.title, wide=picture.wide)


def _view(view: View) -> Drawn:
    made = chart(view)
    return Drawn(made["data"], made["layout"], view.caption)
