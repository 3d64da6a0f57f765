"""What every static picture must hold: nothing leaves the canvas, no text lies on another."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def neat(figure: Figure) -> None:
    """Titles, labels and legends lie on the canvas and apart from one another; so do the ticks of each axis."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # not in the small environment of the frame tests

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    width, height = figure.bbox.size
    boxes: list[tuple[str, Any]] = []
    if figure._suptitle is not None:  # type: ignore[attr-defined]
        boxes.append(("heading", figure._suptitle.get_window_extent(renderer)))  # type: ignore[attr-defined]
    boxes += [("legend", legend.get_window_extent(renderer)) for legend in figure.legends]
    for axes in figure.axes:
        texts = [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label]  # type: ignore[attr-defined]
        boxes += [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t.get_text() and t.get_visible()]
        for axis in (axes.xaxis, axes.yaxis):
            ticks = [t.get_window_extent(renderer) for t in axis.get_ticklabels() if t.get_text()]
            for one, other in pairwise(ticks):
                assert not one.padded(-1).overlaps(other.padded(-1)), f"ticks of {axis.get_label_text()}"
    for k, (name, box) in enumerate(boxes):
        assert box.x0 >= -1, name
        assert box.y0 >= -1, name
        assert box.x1 <= width + 1, name
        assert box.y1 <= height + 1, name
        for other, beside in boxes[k + 1 :]:
            assert not box.overlaps(beside), (name, other)


def labelled(figure: Figure) -> None:
    """Every axis that has ticks says what it is."""
    for axes in figure.axes:
        if hasattr(axes, "_colorbar"):
            assert axes.get_ylabel()
        else:
            assert axes.get_xlabel(), axes.get_title(loc="left")
            assert axes.get_ylabel(), axes.get_title(loc="left")
