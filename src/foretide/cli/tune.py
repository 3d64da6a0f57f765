"""``foretide tune``: which model and which settings for a table, judged once on the test part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from foretide.cli.common import (
    ConfigFile,
    Out,
    Overwrite,
    Reading,
    configured,
    echo_board,
    page,
    reads_tables,
    work,
)

if TYPE_CHECKING:
    from foretide.jobs.folder import RunFolder

SHOWN = ("model", "kind", "rmse", "mse", "mae", "skill_vs_best_baseline", "p_vs_best_baseline")


@reads_tables
def tune(
    config: ConfigFile,
    models: Annotated[str | None, typer.Option(help="Classes to search, with commas: lstm,attention,ridge.")] = None,
    n_trials: Annotated[
        int | None, typer.Option("--n-trials", "-n", help="Finished trials in all; 50 by default.")
    ] = None,
    timeout: Annotated[str | None, typer.Option(help="Such as 90s, 30m or 2h; no trial begins later.")] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", help="Processes that work on the study.")] = None,
    out: Out = None,
    overwrite: Overwrite = False,
    *,
    reading: Reading,
) -> None:
    """Search settings of one or several models; the same command continues an interrupted study."""
    from foretide.jobs.searching import run_search

    names = None if models is None else [name for name in models.split(",") if name.strip()]
    settings = configured(config, reading)
    folder = work(
        lambda show: run_search(
            settings, models=names, n_trials=n_trials, timeout=timeout, n_jobs=jobs, output=out, overwrite=overwrite,
            progress=show,
        )
    )  # fmt: skip
    _finish(folder)


def _finish(folder: RunFolder) -> None:
    """End with both verdicts, the leaderboards of search and test part, and the paths of page and report."""
    from foretide.jobs import store

    facts, leaderboard = folder.need(store.FACTS), folder.need(store.LEADERBOARD)
    echo_board(facts["verdict"], leaderboard)
    card = folder.read(store.CARD)
    if card is not None:
        board = card.pandas(card.leaderboard())
        echo_board(facts["test_verdict"], board[[c for c in SHOWN if c in board.columns]])
    page(folder)
    typer.echo(f"settings found: {folder.path / store.TUNED.file}")
    typer.echo(f"report: {folder.path / store.SUMMARY.file}")
