"""A figure that a notebook shows by itself, without pyplot."""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure


class ShownFigure(Figure):
    """A matplotlib figure with a picture of its own for notebooks; pyplot knows nothing of it.

    Examples
    --------
    >>> from foretide.pictures.figure import ShownFigure
    >>> ShownFigure()._repr_png_()[1:4]
    b'PNG'
    """

    def _repr_png_(self) -> bytes:
        written = BytesIO()
        self.savefig(written, format="png")
        return written.getvalue()
