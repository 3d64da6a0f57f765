"""A picture as a figure in the hand: of matplotlib, or of the package plotly where it is to be clicked on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from foretide.errors import MissingExtraError
from foretide.pictures.matplotlib import PAPER, draw
from foretide.pictures.plotly import chart, escaped
from foretide.typing import Json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from foretide.pictures.picture import Picture

    Drawing: TypeAlias = Figure | Any
    """A matplotlib figure; of the package plotly where ``interactive`` was asked for."""

LAYOUT: Json = {
    "template": "plotly_white", "hovermode": "closest", "margin": {"l": 60, "r": 20, "t": 70, "b": 50},
    "legend": {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
}  # fmt: skip


def show(picture: Picture, *, interactive: bool = False) -> Drawing:
    """Return a picture as a figure.

    Parameters
    ----------
    picture : Picture
    interactive : bool
        Whether it is a plotly figure, with a list of the views; else matplotlib's, which shows them at once.

    Returns
    -------
    matplotlib.figure.Figure or plotly.graph_objects.Figure

    Raises
    ------
    MissingExtraError
        Where the package plotly is needed and missing.

    Examples
    --------
    >>> from foretide.pictures.picture import Axis, Line, Picture
    >>> from foretide.pictures.show import show
    >>> line = Line("LSTM", [1, 2], [0.5, 0.7])
    >>> figure = show(Picture.one("steps", "Error by step", "", [line], Axis("step"), Axis("RMSE")))
    >>> figure.axes[0].get_xlabel()
    'step'
    """
    if interactive:
        return _clickable(picture)
    panels = [panel for view in picture.views.values() for panel in view.panels]
    return draw(panels, picture.title, wide=picture.wide, together=len(picture.views) > 1)


def _clickable(picture: Picture) -> Any:
    """All views in one plotly figure: a list shows one and hides the others."""
    try:
        from plotly.graph_objects import Figure
    except ImportError:
        raise MissingExtraError("plotly", "plotly", "A picture with interactive=True") from None
    charts = [_on_white(chart(view)) for view in picture.views.values()]
    seen = [[trace.get("visible", True) for trace in one["data"]] for one in charts]
    buttons = [
        {
            "label": escaped(", ".join(picture.options_at(key))), "method": "update",
            "args": [
                {"visible": [own if j == k else False for j, group in enumerate(seen) for own in group]},
                {"shapes": [], "annotations": [], **charts[k]["layout"]},
            ],
        }
        for k, key in enumerate(picture.views)
    ]  # fmt: skip
    traces = [
        {**trace, "visible": shown if k == 0 else False}
        for k, one in enumerate(charts) for trace, shown in zip(one["data"], seen[k], strict=True)
    ]  # fmt: skip
    title = picture.title or (picture.first.panels[0].title if len(buttons) == 1 else "")
    layout = {**LAYOUT, "title": {"text": escaped(title)}, **charts[0]["layout"]}
    if len(buttons) > 1:
        layout["updatemenus"] = [{"buttons": buttons, "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"}]
    return Figure({"data": traces, "layout": layout})


def _on_white(value: Any) -> Any:
    """Data of plotly with the colours of the theme as they are on white."""
    if isinstance(value, dict):
        return {key: _on_white(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_on_white(inner) for inner in value]
    return PAPER.get(value, value) if isinstance(value, str) else value
