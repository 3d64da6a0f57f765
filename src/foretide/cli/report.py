"""``foretide report``: a run, a backtest, a forecast, a search or a scorecard as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretide.cli.common import plain_warnings
from foretide.cli.echo import echo


def report(
    run: Annotated[
        Path,
        typer.Argument(
            help="A folder made by `foretide run`, `demo`, `backtest`, `forecast` or `tune`, or of a saved scorecard."
        ),
    ],
    figures: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FORMAT", help="Write every picture as a file too: svg, png or pdf; may be given several times."
        ),
    ] = None,
) -> None:
    """Write one self-contained HTML page: pictures with zoom and pickers, tables, words; opens without a network."""
    from foretide.jobs.reporting import write_figures, write_report

    with plain_warnings():
        page = write_report(run)
        made = write_figures(run, figures) if figures else []
    if made:
        echo(f"figures: {made[0].parent} ({len(made)} files)")
    echo(f"report: {page}")
