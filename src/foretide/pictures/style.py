"""How pictures look: colours and second marks, so that no two lines of a picture look alike."""

from __future__ import annotations

from collections.abc import Iterable

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7A5195", "#8C6D31")
"""Told apart with the common kinds of colour blindness (after Okabe and Ito, 2008), dark enough on white."""
TEXT, QUIET = "@text", "@quiet"
"""Colours of the theme: of text, and of what stays in the background."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "2px,7px", "14px,4px,2px,4px")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "triangle-down", "cross", "x", "star")
HATCHES = ("", "/", "x", "\\", ".", "-", "+", "|")
CIVIDIS = (
    "#00204c", "#002a66", "#00346e", "#273f6c", "#3c4a6b", "#4c556b", "#5b5f6d", "#686a70", "#757575", "#838178",
    "#928c78", "#a19876", "#b0a572", "#c0b16d", "#d1bf66", "#e1cc5c", "#f3db4f", "#ffe945",
)  # fmt: skip
SCALES: dict[str, list[tuple[float, str]]] = {
    "weights": [(round((k / (len(CIVIDIS) - 1)) ** 2, 4), colour) for k, colour in enumerate(CIVIDIS)],
    "values": [(k / (len(CIVIDIS) - 1), colour) for k, colour in enumerate(CIVIDIS)],
    "diverging": [(0, "#2166ac"), (0.25, "#92c5de"), (0.5, "#f7f7f7"), (0.75, "#f4a582"), (1, "#b2182b")],
}
"""Colours by share of the range. Of weights by the root of it: few are large, and small ones differ too; blue below the
middle and red above it are told apart with every common kind of colour blindness (ColorBrewer's RdBu)."""
LONGEST = 34
"""Letters of a model's name in a legend."""


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Return names for a legend: long ones lose their middle, unless two would look the same then."""
    names = list(names)
    head, tail = LONGEST - 15, 14
    short = {name: name if len(name) <= LONGEST else f"{name[:head]}…{name[-tail:]}" for name in names}
    return short if len(set(short.values())) == len(names) else {name: name for name in names}
