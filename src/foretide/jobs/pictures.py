"""Static pictures of a run folder: each one as PNG, for the summary, and as SVG, for papers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foretide.report.figures import WRITERS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from foretide.jobs.folder import RunFolder


def write_picture(folder: RunFolder, name: str, figure: Figure) -> dict[str, str]:
    """Write a picture in every format.

    Parameters
    ----------
    folder : RunFolder
    name : str
        File within the folder; an ending ``.png`` may be there.
    figure : Figure

    Returns
    -------
    dict
        Format -> file.
    """
    files = {kind: f"{name.removesuffix('.png')}.{kind}" for kind in WRITERS}
    for kind, write in WRITERS.items():
        folder.write(files[kind], lambda path, write=write: write(figure, path))  # type: ignore[misc]
    return files
