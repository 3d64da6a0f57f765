"""What several commands share."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foretide.report.summary import shown_columns

if TYPE_CHECKING:
    from foretide.pipeline.folder import RunFolder

Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the run; a free name under runs/ by default.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a finished run in that folder.")]


@contextmanager
def progress(*, lines: bool = True) -> Iterator[Callable[[str], None] | None]:
    """Show the current step on a terminal, and leave a line for each with ``lines``; say nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("starting") as status:

        def show(text: str) -> None:
            if lines:
                console.log(text, highlight=False, markup=False)
            status.update(text)

        yield show


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Print a warning as one line, without the place in the code that raised it."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: typer.secho(f"warning: {message}", err=True)
        yield


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C, and a polite request to end (SIGTERM), leave a folder that says it is unfinished; exit with 130."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        typer.secho("interrupted; the run folder says it is unfinished", err=True)
        raise typer.Exit(130) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def report(folder: RunFolder) -> None:
    """End with the verdict, the leaderboard and the path of the report."""
    import json

    import pandas as pd

    facts = json.loads((folder.path / "run.json").read_text(encoding="utf-8"))
    board = pd.read_csv(folder.path / "metrics.csv")
    shown = [c for c in ("model", "kind", *shown_columns(facts)) if c in board.columns]
    typer.echo(facts["verdict"])
    typer.echo()
    typer.echo(board[shown].to_string(index=False, float_format="{:.4g}".format))
    typer.echo()
    page(folder.path)
    typer.echo(f"report: {folder.path / 'summary.md'}")


def page(folder: Path) -> None:
    """Write the report as one HTML file too, and say where."""
    from foretide.pipeline.reporting import write_report

    typer.echo(f"page: {write_report(folder)}")
