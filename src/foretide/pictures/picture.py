"""A picture as data: panels with axes, the marks on them, a caption, and what the reader can choose.

Nothing here knows how it is drawn: :mod:`foretide.pictures.plotly` draws a picture on a page,
:mod:`foretide.pictures.matplotlib` into a file. Text is plain, numbers are whole: both are escaped and rounded
when they are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from foretide.pictures.style import COLOURS, DASHES, HATCHES, QUIET, SYMBOLS
from foretide.text import shortened

if TYPE_CHECKING:
    from foretide.typing import Array

    Values: TypeAlias = Sequence[float | None] | Array
    Places: TypeAlias = Sequence[float | str | None] | Array

FEW_STEPS = 14
FEW_BARS, FEW_TIMES = 4, 8
"""Fewer bars are narrow; up to so many times have a tick each."""
FIGURES = "{x}: {y:.4g}"
"""What stands under the pointer: ``{x}``, ``{y}``, ``{z}`` and ``{text}``, with a format where they are numbers."""


@dataclass(frozen=True)
class Axis:
    """One axis of a panel.

    Attributes
    ----------
    title : str
        What it shows, with unit and direction.
    kind : {"linear", "log", "time"}
    low, high : float, optional
        Its ends; both or neither.
    reverse, from_zero, percent, square : bool
        Whether it runs downwards or to the left; begins at zero; has ticks in percent; has steps as long as those of
        the other axis.
    ticks : sequence of (place, text)
        Instead of those that a renderer finds.
    step : float, optional
        From tick to tick.
    grid : bool
    """

    title: str = ""
    kind: Literal["linear", "log", "time"] = "linear"
    low: float | None = None
    high: float | None = None
    reverse: bool = False
    from_zero: bool = False
    percent: bool = False
    square: bool = False
    ticks: Sequence[tuple[float, str]] = ()
    step: float | None = None
    grid: bool = True

    @classmethod
    def steps(cls, title: str, n: int) -> Axis:
        """Return an axis of ``n`` steps, with a tick at each of them where there are few."""
        return cls(title, step=1 if n <= FEW_STEPS else None)

    @classmethod
    def names(cls, title: str, names: Sequence[object]) -> Axis:
        """Return an axis of names at 0, 1, 2 …, the first at the top; long names lose their middle."""
        ticks = [(k, shortened(name, 20)) for k, name in enumerate(names)]
        return cls(title, ticks=ticks, low=-0.5, high=len(names) - 0.5, reverse=True, grid=False)


@dataclass(frozen=True)
class Line:
    """Points joined in their order; None or NaN breaks the line.

    Attributes
    ----------
    name : str
        In the legend.
    x, y : sequences ``[n]``
    colour, dash, symbol : str
        Names as in :mod:`foretide.pictures.style`; no symbol, no marks at the points.
    width : float
    stepped, hidden, legend : bool
        Whether it runs in steps; waits in the legend at first; stands in the legend.
    low, high : sequences ``[n]``, optional
        Ends of the interval around each point.
    texts : sequence of str
        Under the pointer, as ``{text}``.
    hover : str
        See :data:`FIGURES`; "" for nothing.
    """

    name: str
    x: Places
    y: Values
    colour: str = COLOURS[0]
    dash: str = "solid"
    symbol: str = ""
    width: float = 2
    stepped: bool = False
    hidden: bool = False
    legend: bool = True
    low: Values | None = None
    high: Values | None = None
    texts: Sequence[str] = ()
    hover: str = FIGURES

    @classmethod
    def nth(cls, k: int, name: str, x: Places, y: Values, hover: str = FIGURES, *, symbols: bool = True) -> Line:
        """Return the k-th line of a picture, told apart from all others by its colour, dash and symbol."""
        turn, place = divmod(k, len(COLOURS))
        symbol = SYMBOLS[(place + turn) % len(SYMBOLS)] if symbols else ""
        return cls(name, x, y, COLOURS[place], DASHES[(place + turn) % len(DASHES)], symbol, hover=hover)


@dataclass(frozen=True)
class Points:
    """Points by themselves; as :class:`Line`.

    Attributes
    ----------
    values : sequence ``[n]``, optional
        What colours them, dark for low ones, between ``low`` and ``high``; ``scale`` names it.
    """

    name: str
    x: Places
    y: Values
    colour: str = COLOURS[0]
    symbol: str = "circle"
    size: float = 8
    opacity: float = 1
    legend: bool = True
    values: Values | None = None
    low: float | None = None
    high: float | None = None
    scale: str = ""
    texts: Sequence[str] = ()
    hover: str = FIGURES


@dataclass(frozen=True)
class Bars:
    """Bars from zero; as :class:`Line`. Those of a panel lie over one another unless it stacks them.

    Attributes
    ----------
    at, size : sequences ``[n]``
        Places, and how long the bars are.
    across : bool
        Whether they run from left to right.
    hatch : str
        Second mark beside the colour; see :data:`foretide.pictures.style.HATCHES`.
    labels : sequence of str
        Beside the ends of the bars.
    """

    name: str
    at: Values
    size: Values
    colour: str = COLOURS[0]
    hatch: str = ""
    opacity: float = 1
    across: bool = False
    low: Values | None = None
    high: Values | None = None
    labels: Sequence[str] = ()
    texts: Sequence[str] = ()
    hover: str = FIGURES

    @classmethod
    def nth(cls, k: int, name: str, at: Values, size: Values, hover: str = FIGURES) -> Bars:
        """Return the k-th bars of a picture: with a colour and a hatch of their own."""
        return cls(name, at, size, COLOURS[k % len(COLOURS)], HATCHES[k % len(HATCHES)], hover=hover)


@dataclass(frozen=True)
class Band:
    """The room between two lines; None or NaN breaks it, and so does each place of ``starts``."""

    name: str
    x: Places
    low: Values
    high: Values
    colour: str = COLOURS[0]
    opacity: float = 0.2
    starts: Sequence[int] = ()


@dataclass(frozen=True)
class Heat:
    """Cells ``values [len(y), len(x)]`` coloured by their number from ``low`` to ``high``.

    Attributes
    ----------
    scale : {"weights", "diverging"}
        Dark to light by the root of the share; blue to red around the middle.
    title : str
        What the numbers are.
    """

    x: Values
    y: Values
    values: Array
    low: float
    high: float
    scale: Literal["weights", "diverging"] = "weights"
    title: str = ""
    texts: Sequence[str] = ()
    hover: str = "{x}, {y}: {z:.4g}"


@dataclass(frozen=True)
class Rule:
    """A dotted line over the whole panel, across or upright, named in the captions."""

    at: float | str
    upright: bool = False
    colour: str = QUIET
    width: float = 1.5


@dataclass(frozen=True)
class Span:
    """A shaded piece of the horizontal axis."""

    low: float | str
    high: float | str
    colour: str = "#808080"
    opacity: float = 0.14


Mark: TypeAlias = Line | Points | Bars | Band | Heat | Rule | Span


@dataclass(frozen=True)
class Panel:
    """Marks between two axes; ``note`` stands in the middle where there is nothing to draw."""

    marks: Sequence[Mark]
    x: Axis = field(default_factory=Axis)
    y: Axis = field(default_factory=Axis)
    title: str = ""
    stacked: bool = False
    note: str = ""

    @property
    def in_legend(self) -> list[Mark]:
        """Marks that a legend lists; none where there is only one."""
        marks: list[Mark] = [
            m for m in self.marks
            if (isinstance(m, Bars | Band) and m.name) or (isinstance(m, Line | Points) and m.name and m.legend)
        ]  # fmt: skip
        return marks if len(marks) > 1 else []

    @property
    def places(self) -> list[float | str | None]:
        """Where its marks lie on the horizontal axis, as they were given."""
        across = (
            (m.size if m.across else m.at) if isinstance(m, Bars) else m.x
            for m in self.marks
            if not isinstance(m, Rule | Span)
        )
        return [place for places in across for place in places]

    @property
    def few_places(self) -> list[float | str | None]:
        """The places of its marks, each once, where they are few."""
        known = dict.fromkeys(self.places)
        return list(known) if len(known) <= FEW_TIMES else []

    @property
    def whole(self) -> bool:
        """Whether its marks lie at whole numbers of the horizontal axis, so that ticks between them mean nothing."""
        return all(isinstance(place, int | np.integer) for place in self.places)

    @property
    def whole_step(self) -> int:
        """From tick to tick among whole places, at most :data:`FEW_STEPS` times."""
        places = [int(place) for place in self.places if place is not None]
        return max(1, -(-(max(places) - min(places)) // FEW_STEPS))

    @property
    def bar_width(self) -> float:
        """Width of its bars, as a share of the room of each; two bars do not fill a picture."""
        n = len({place for mark in self.marks if isinstance(mark, Bars) for place in mark.at})
        return 0.8 if n >= FEW_BARS else 0.2 * max(n, 2)


@dataclass(frozen=True)
class View:
    """What a picture shows for one choice: panels, one below the other, and a caption made from their numbers."""

    panels: Sequence[Panel]
    caption: str

    @classmethod
    def of(cls, marks: Sequence[Mark], x: Axis, y: Axis, *, title: str = "", caption: str = "", note: str = "") -> View:
        """Return a view of one panel."""
        return cls([Panel(marks, x, y, title, note=note)], caption)


@dataclass(frozen=True)
class Choice:
    """A list above a picture."""

    label: str
    options: Sequence[str]


@dataclass(frozen=True)
class Picture:
    """One picture, maybe the same for several choices.

    Attributes
    ----------
    id, title : str
    views : mapping
        Places of the chosen options (``(0, 2)``) -> what is shown; missing ones cannot be chosen. A picture begins with
        the first.
    choices : sequence of Choice
        Lists above the picture, left to right.
    wide : bool
        Whether it takes the whole width of a page.
    file : str
        The file that shows it beside a summary; pictures that name the same file are its panels. "" for none.
    every : bool
        Whether the file shows each view, not only the first.
    """

    id: str
    title: str
    views: Mapping[tuple[int, ...], View]
    choices: Sequence[Choice] = ()
    wide: bool = False
    file: str = ""
    every: bool = False

    @classmethod
    def one(
        cls, identity: str, title: str, caption: str, marks: Sequence[Mark], x: Axis, y: Axis, *, stacked: bool = False,
        note: str = "", file: str = "", wide: bool = False,
    ) -> Picture:  # fmt: skip
        """Return a picture of one panel without choices.

        Examples
        --------
        >>> from foretide.pictures.picture import Axis, Line, Picture
        >>> drawn = Picture.one(
        ...     "steps", "Error by step", "It grows.", [Line("LSTM", [1, 2], [0.5, 0.7])], Axis("step"), Axis("RMSE")
        ... )
        >>> drawn.first.caption
        'It grows.'
        """
        view = View([Panel(marks, x, y, stacked=stacked, note=note)], caption)
        return cls(identity, title, {(): view}, file=file, wide=wide)

    @classmethod
    def with_list(
        cls, identity: str, title: str, label: str, views: Mapping[str, View], *, wide: bool = False, file: str = "",
        every: bool = False,
    ) -> Picture:  # fmt: skip
        """Return a picture with one list above it, called ``label``; ``views`` names what is shown for each option."""
        keyed: dict[tuple[int, ...], View] = {(k,): view for k, view in enumerate(views.values())}
        return cls(identity, title, keyed, [Choice(label, list(views))], wide, file, every)

    @property
    def first(self) -> View:
        """What is shown before anything is chosen."""
        return next(iter(self.views.values()))

    @property
    def lists(self) -> Sequence[Choice]:
        """The choices, where there is something to choose."""
        return self.choices if any(len(c.options) > 1 for c in self.choices) else ()

    def options_at(self, key: tuple[int, ...]) -> list[str]:
        """Return the options of a view in words."""
        return [choice.options[k] for choice, k in zip(self.choices, key, strict=True)]
