"""One interactive picture, as plotly.js reads it, maybe with pickers that change what it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Picker:
    """A list to choose from, above a picture; names are plain text."""

    label: str
    options: Sequence[str]


@dataclass(frozen=True)
class View:
    """What a picture shows for one choice: data, caption, and what differs in the layout."""

    data: list[dict[str, Any]]
    caption: str
    layout: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Chart:
    """One picture.

    Attributes
    ----------
    id : str
        Of its element.
    title : str
    caption : str
        What is seen, in words.
    data, layout
        As plotly.js takes them; ``@text`` and ``@quiet`` are theme colours, names go through ``plot_text``.
    pickers : sequence of Picker
        Shown above the picture, left to right.
    views : mapping
        Places of the chosen options joined by ``/`` (``"0/2"``) -> what is shown; missing ones cannot be chosen. The
        picture begins with the first option of every picker, whose view is ``data`` and ``caption``.
    wide : bool
        Whether it takes the whole width of the page.
    """

    id: str
    title: str
    caption: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    pickers: Sequence[Picker] = ()
    views: Mapping[str, View] = field(default_factory=dict)
    wide: bool = False

    @classmethod
    def picked(
        cls, identity: str, title: str, pickers: Sequence[Picker], views: Mapping[str, View], layout: dict[str, Any],
        *, wide: bool = False,
    ) -> Chart:  # fmt: skip
        """Make a picture with pickers; it begins with the first view."""
        first = next(iter(views.values()))
        # A list of one has nothing to choose: no pickers then.
        choice = any(len(p.options) > 1 for p in pickers)
        return cls(
            identity, title, first.caption, first.data, {**layout, **first.layout}, pickers if choice else (),
            views if choice else {}, wide,
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """Return what the page's script needs."""
        found: dict[str, Any] = {"data": self.data, "layout": self.layout}
        if self.pickers:
            found["views"] = {
                key: {"data": view.data, "caption": view.caption, "layout": {**self.layout, **view.layout}}
                for key, view in self.views.items()
            }
        return found


def titles(x: str, y: str) -> dict[str, Any]:
    """Return a layout with the names of both axes, which say unit and direction."""
    return {"xaxis": {"title": {"text": x}}, "yaxis": {"title": {"text": y}}}
