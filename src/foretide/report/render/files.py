"""Pictures as files: beside a summary, and each view by itself for papers."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.checkpoints import remembered
from foretide.data.digests import leaves
from foretide.data.files import file_name, storing, write_whole
from foretide.data.kept import Kept
from foretide.errors import ConfigError, nearest
from foretide.pictures.matplotlib import draw
from foretide.pictures.picture import Panel, Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

FORMATS = ("svg", "png", "pdf")
MOST_PANELS = 12
"""Panels of one file."""
BESIDE = ("png", "svg")
"""Formats of pictures beside a summary."""


def write_beside(pictures: Sequence[Picture], place: Callable[[str], Path]) -> dict[str, list[str]]:
    """Write the pictures that a summary shows; those of one file are its panels.

    Parameters
    ----------
    pictures : sequence of Picture
        Those without a :attr:`~foretide.pictures.picture.Picture.file` are passed over.
    place : callable
        Where a file of that name is to be written.

    Returns
    -------
    dict
        File, as the pictures name it -> what was written, in every format.
    """
    together: dict[str, list[Picture]] = {}
    for picture in pictures:
        if picture.file:
            together.setdefault(picture.file, []).append(picture)
    files = {}
    for name, parts in together.items():
        panels = [panel for picture in parts for panel in _panels(picture)]
        if not panels:
            continue
        wide = len(parts) == 1 and parts[0].wide
        if len(parts) == 1 and len(panels) == 1:
            panels = [replace(panels[0], title=parts[0].title)]
        title = parts[0].title if len(parts) == 1 < len(panels) else ""
        files[name] = [f"{name}.{kind}" for kind in BESIDE]
        printed = _printed(panels[:MOST_PANELS], title, wide=wide)
        for file, kind in zip(files[name], BESIDE, strict=True):
            _put(printed[kind].tobytes(), place(file))
    return files


def _printed(panels: Sequence[Panel], title: str, *, wide: bool) -> dict[str, NDArray[np.uint8]]:
    """Return a picture in every format beside a summary; that of a job that was killed, as it was drawn before."""

    def drawn() -> dict[str, NDArray[np.uint8]]:
        figure = draw(panels, title, wide=wide)
        return {kind: np.frombuffer(_print(figure, kind), dtype=np.uint8) for kind in BESIDE}

    return remembered(
        "picture", (BESIDE, title, wide, *leaves(panels)), drawn,
        pack=lambda made: Kept(made, {}),
        unpack=lambda kept: {kind: np.asarray(array, dtype=np.uint8) for kind, array in kept.arrays.items()},
    )  # fmt: skip


def write_each(pictures: Sequence[Picture], folder: str | os.PathLike[str], formats: Sequence[str]) -> list[Path]:
    """Write every picture, one file per format and, of pictures with lists, per choice.

    Parameters
    ----------
    pictures : sequence of Picture
    folder : path
        Made where it is missing; files of the same names are replaced.
    formats : sequence of {"svg", "png", "pdf"}

    Returns
    -------
    list of Path

    Raises
    ------
    ConfigError
        For a format that is not known.
    StorageError
        Where a file cannot be written.
    """
    checked(formats)
    place = Path(folder)
    with storing(place):
        place.mkdir(parents=True, exist_ok=True)
    written = []
    for name, panels in named(pictures):
        figure = draw(panels, wide=True)
        for kind in formats:
            written.append(place / f"{name}.{kind}")
            write(figure, written[-1])
    return written


def write(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure in the format that the file's ending names; equal pictures give equal files.

    Parameters
    ----------
    figure : Figure
    path : path
        Ending in ``.png``, ``.svg`` or ``.pdf``.

    Raises
    ------
    ConfigError
        For another ending.
    StorageError
        Where it cannot be written.
    """
    kind = Path(path).suffix.removeprefix(".")
    checked([kind])
    with storing(Path(path)):
        _put(_print(figure, kind), Path(path))


def _put(content: bytes, path: Path) -> None:
    write_whole(path, lambda part: part.write_bytes(content))


def _print(figure: Figure, kind: str) -> bytes:
    """Draw once: ``savefig``, for whoever has settings of their own for it, draws a first time without ink."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    about = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}.get(kind, {"CreationDate": None})
    canvas = {"png": FigureCanvasAgg, "svg": FigureCanvasSVG, "pdf": FigureCanvasPdf}[kind]
    own, dots, content = figure.canvas, figure.dpi, io.BytesIO()
    # Identities inside an SVG are drawn at random unless they have a salt; its text stays text.
    with mpl.rc_context({"svg.hashsalt": "foretide", "svg.fonttype": "none"}):
        if any(mpl.rcParams[name] != mpl.rcParamsDefault[name] for name in mpl.rcParams.find_all(r"^savefig\.")):
            figure.savefig(content, format=kind, metadata=about)
        else:
            try:
                getattr(canvas(figure), f"print_{kind}")(content, metadata=about)
            finally:
                figure.dpi = dots  # vector formats count in points
                figure.set_canvas(own)
    figure.set_layout_engine("none")  # every artist has its place now; another format need not look for it again
    return content.getvalue()


def checked(formats: Sequence[str]) -> None:
    """Raise :class:`ConfigError` for a format that pictures are not written in."""
    for kind in formats:
        if kind not in FORMATS:
            raise ConfigError(f"A picture can be {', '.join(FORMATS)}, not {kind!r}. {nearest(kind, FORMATS)}")


def named(pictures: Sequence[Picture]) -> Iterator[tuple[str, Sequence[Panel]]]:
    """Yield a file name and the panels of every view; names that are the same to some file system get a number."""
    taken: set[str] = set()
    for picture in pictures:
        stem = picture.id
        if re.search(r"-\d+$", stem):  # one of several models, which the title names
            stem = re.sub(r"-\d+$", "", stem) + "-" + re.sub(r"\W+", "-", picture.title.lower()).strip("-")
        for key, view in picture.views.items():
            name = file_name("-".join([stem, *(picture.options_at(key) if picture.lists else ())]))
            name = name if name.casefold() not in taken else f"{name}-{len(taken)}"
            taken.add(name.casefold())
            yield name, view.panels


def _panels(picture: Picture) -> Iterator[Panel]:
    """Panels of the first view, or of every view that shows something, each with the words of its choice."""
    for key, view in list(picture.views.items())[: None if picture.every else 1]:
        chosen = ", ".join(picture.options_at(key)) if picture.every and picture.lists else ""
        for panel in view.panels:
            if panel.marks or not picture.every:
                yield replace(panel, title=panel.title or chosen or picture.title)
