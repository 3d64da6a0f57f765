"""The page, the summary and the pictures of a folder, made from what the folder holds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from foretide.data.files import understood
from foretide.errors import ArtifactError, ForetideError
from foretide.jobs.contents import read_content
from foretide.jobs.folder import RunFolder
from foretide.jobs.outputs import KIND, keep_card_facts
from foretide.jobs.store import CARD, EXPLAIN_PAGE, FACTS, FIGURES, REPORT, SUMMARY
from foretide.report.content import Content
from foretide.report.explained.sections import of_models
from foretide.report.render.files import write_beside, write_each
from foretide.report.render.markdown import markdown
from foretide.report.render.page import page
from foretide.report.sections import report_of

if TYPE_CHECKING:
    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.report.search.content import SearchContent


def write(run: RunFolder, card: Scorecard | None = None) -> Path:
    """Write the page, the summary with its pictures, and what the models say, from what a folder holds.

    Parameters
    ----------
    run : RunFolder
        Everything else is written by now.
    card : Scorecard, optional
        That of the folder, where it need not be read again.

    Returns
    -------
    Path
        Of ``summary.md``.

    Raises
    ------
    ArtifactError
        For a folder that is no run, backtest or search, or whose files cannot be read.
    """
    content = _content(run, card)
    report = report_of(content)
    said = of_models(content) if isinstance(content, Content) and content.explained else None
    # Pictures of what models say are on both; the page leaves out what it shows for every window.
    every = {(picture.file, picture.id): picture for part in (report, said) if part for picture in part.pictures}
    files = write_beside(list(every.values()), run.place)
    run.keep(REPORT, page(report))
    if said is not None:
        run.keep(EXPLAIN_PAGE, markdown(said, files))
    return run.keep(SUMMARY, markdown(report, files))


def write_card_page(card: Scorecard, folder: str | os.PathLike[str]) -> Path:
    """Write the page of a scorecard that was saved by itself, and the small tables that it is made from.

    Parameters
    ----------
    card : Scorecard
    folder : path
        That of a job keeps its own facts.

    Returns
    -------
    Path
        Of the page.
    """
    run = RunFolder(Path(folder))
    if (run.read(FACTS) or {}).get("kind", KIND) == KIND:
        keep_card_facts(run, card)
    return run.keep(REPORT, page(report_of(_content(run, card))))


def write_report(folder: str | os.PathLike[str]) -> Path:
    """Write ``report.html`` into a folder: one self-contained page that opens without a network.

    Parameters
    ----------
    folder : path
        Made by :func:`foretide.run`, ``foretide demo``, ``backtest``, ``forecast`` or ``tune``, or one that a scorecard
        was saved in; or a file of it (``scorecard.parquet``). What ``foretide explain`` found there is shown too.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    ArtifactError
        For a folder that is none of these, or whose files cannot be read.
    """
    run = _folder_of(folder)
    with understood(run.path):
        return run.keep(REPORT, page(report_of(_content(run))))


def write_figures(folder: str | os.PathLike[str], formats: Sequence[str] = ("svg", "png")) -> list[Path]:
    """Write every picture of the page into ``figures``, for papers; pictures with lists once for each choice.

    Parameters
    ----------
    folder : path
        As for :func:`write_report`.
    formats : sequence of {"svg", "png", "pdf"}

    Returns
    -------
    list of Path

    Raises
    ------
    ArtifactError, ConfigError
        As :func:`write_report`; for a format that is not known.
    """
    run = _folder_of(folder)
    with understood(run.path):
        return write_each(report_of(_content(run)).pictures, run.place(FIGURES.file), formats)


def _folder_of(path: str | os.PathLike[str]) -> RunFolder:
    """Return the folder itself, or the one that a file of it lies in."""
    place = Path(path)
    known = {name for item in (CARD, FACTS, REPORT, SUMMARY) for name in item.places()}
    return RunFolder(place.parent if place.is_file() and place.name in known else place)


def _content(run: RunFolder, card: Scorecard | None = None) -> Content | SearchContent:
    try:
        with understood(run.path):
            return read_content(run, card)
    except ArtifactError:
        raise
    except ForetideError as error:
        said = f"{type(error).__name__}: {error}"
        raise ArtifactError(f"{run.path} cannot be read: {said}. Make it again with this version.") from error
