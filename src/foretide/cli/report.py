"""``foretide report``: a run, a backtest or a search as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretide.cli.common import plain_warnings


def report(
    run: Annotated[Path, typer.Argument(help="A folder made by `foretide run`, `demo`, `backtest` or `tune`.")],
) -> None:
    """Write one self-contained HTML page: pictures with zoom and pickers, tables, words; opens without a network."""
    from foretide.pipeline.reporting import write_report

    with plain_warnings():
        page = write_report(run)
    typer.echo(f"report: {page}")
