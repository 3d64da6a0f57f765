"""``foretide tune``: which model and which settings for a table, judged once on the test part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foretide.cli.common import Out, Overwrite, configured, interruptible, page, progress, reads_tables

if TYPE_CHECKING:
    import pandas as pd

    from foretide.jobs.folder import RunFolder

SHOWN = ("model", "kind", "rmse", "mse", "mae", "skill_vs_best_baseline", "p_vs_best_baseline")


@reads_tables
def tune(
    config: Annotated[Path, typer.Argument(help="A YAML file as for `foretide run`, maybe with a section search.")],
    models: Annotated[str | None, typer.Option(help="Classes to search, with commas: lstm,attention,ridge.")] = None,
    n_trials: Annotated[
        int | None, typer.Option("--n-trials", "-n", help="Finished trials in all; 50 if unsaid.")
    ] = None,
    timeout: Annotated[str | None, typer.Option(help="Such as 90s, 30m or 2h; no trial begins later.")] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", help="Processes that work on the study.")] = None,
    out: Out = None,
    overwrite: Overwrite = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Search settings of one or several models; the same command goes on with an interrupted study."""
    from foretide.jobs.searching import run_search

    names = None if models is None else [name for name in models.split(",") if name.strip()]
    with interruptible(), progress() as show:
        folder = run_search(
            configured(config, reading), models=names, n_trials=n_trials, timeout=timeout, n_jobs=jobs, output=out,
            overwrite=overwrite, progress=show,
        )  # fmt: skip
    _report(folder)


def _report(folder: RunFolder) -> None:
    """End with both verdicts, the leaderboards of search and test part, and the paths of page and report."""
    import json

    import pandas as pd

    facts = json.loads((folder.path / "run.json").read_text(encoding="utf-8"))
    typer.echo(facts["verdict"])
    typer.echo()
    typer.echo(_table(pd.read_csv(folder.path / "leaderboard.csv")))
    typer.echo()
    if (folder.path / "metrics.csv").is_file():
        board = pd.read_csv(folder.path / "metrics.csv")
        typer.echo(facts["test_verdict"])
        typer.echo()
        typer.echo(_table(board[[c for c in SHOWN if c in board.columns]]))
        typer.echo()
    page(folder.path)
    typer.echo(f"settings found: {folder.path / 'tuned.yaml'}")
    typer.echo(f"report: {folder.path / 'summary.md'}")


def _table(board: pd.DataFrame) -> str:
    return str(board.to_string(index=False, float_format="{:.4g}".format, na_rep=""))
