"""``foretide backtest``: rolling origins, a leaderboard against the simple baselines, tests and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from foretide.cli.common import Out, Overwrite, configured, interruptible, progress, reads_tables, report


@reads_tables
def backtest(
    config: Annotated[Path, typer.Argument(help="A YAML file as for `foretide run`, with a section backtest.")],
    out: Out = None,
    overwrite: Overwrite = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Backtest the models of a configuration; the same command resumes an interrupted one."""
    from foretide.jobs import run_backtest

    with interruptible(), progress(lines=False) as show:
        folder = run_backtest(configured(config, reading), output=out, overwrite=overwrite, progress=show)
    report(folder)
