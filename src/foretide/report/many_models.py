"""How many models are told apart in one picture, and what pictures of models share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from foretide.errors import ConfigError, nearest
from foretide.report.figures import MARKERS, OVERLAID, greys
from foretide.report.style import COLOURS, DASHES
from foretide.text import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_COLOURED = 4
"""Models in colour where all are drawn alike; the others are grey."""
LONGEST = 34
"""Letters of a model's name in a legend."""


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Return names for a legend: long ones lose their middle, unless two would look the same then."""
    names = list(names)
    short = {name: shortened(name, LONGEST, tail=14) for name in names}
    return short if len(set(short.values())) == len(names) else {name: name for name in names}


def model_styles(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return how each model is drawn: the first ones in colour, the others in grey, no two alike."""
    styles: dict[str, dict[str, Any]] = {}
    for k, name in enumerate(names):
        if k < N_COLOURED:
            styles[name] = {
                "color": COLOURS[k], "linewidth": 1.9, "linestyle": OVERLAID[k % 3], "marker": MARKERS[k],
                "zorder": 3 + 0.01 * k,  # later lines leave gaps, so they lie above
            }  # fmt: skip
        else:
            q = k - N_COLOURED
            styles[name] = {
                "color": greys(q), "linewidth": 1.1, "linestyle": DASHES[1:][q % 3],
                "marker": MARKERS[(q // 9) % len(MARKERS)], "zorder": 2.5,
            }  # fmt: skip
    return styles


def new_figure(width: float, height: float) -> Figure:
    """Return an empty picture of a size in inches, that finds room for its legends by itself."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=110, layout="constrained")


def legend_beside(axes: Axes, title: str | None = None) -> None:
    """Put the legend to the right of the axes, where it covers no line."""
    axes.legend(
        fontsize=9, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5), title=title, title_fontsize=9,
    )  # fmt: skip


def something(models: Any) -> None:
    """Raise :class:`ConfigError` where there is nothing to draw."""
    if not len(models):
        raise ConfigError("There is no model to draw. Give at least one.")


def known(name: str, models: Iterable[str]) -> None:
    """Raise :class:`ConfigError` for a model that is not among those drawn."""
    if name not in models:
        raise ConfigError(f"There is no model {name!r} to draw. {nearest(name, models)}")
