"""``foretide tune``: which model and which settings for a table, judged once on the test part."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from foretide.cli.common import (
    ConfigFile,
    Out,
    Overwrite,
    Reading,
    configured,
    echo_board,
    intend,
    page,
    reads_tables,
    work,
)
from foretide.cli.completion import Models
from foretide.cli.echo import echo
from foretide.cli.flags import Flags, does_a_job

if TYPE_CHECKING:
    from foretide.jobs.folder import RunFolder


class Sampler(StrEnum):
    """How a search chooses settings."""

    TPE = "tpe"
    RANDOM = "random"


SHOWN = ("model", "kind", "rmse", "mse", "mae", "skill_vs_best_baseline", "p_vs_best_baseline")


@reads_tables
@does_a_job
def tune(
    config: ConfigFile,
    models: Models = None,
    n_trials: Annotated[
        int | None, typer.Option("--n-trials", "-n", help="Finished trials in all; 50 by default.")
    ] = None,
    timeout: Annotated[str | None, typer.Option(help="Such as 90s, 30m or 2h; no trial begins later.")] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", help="Processes that work on the study.")] = None,
    sampler: Annotated[
        Sampler | None, typer.Option(help="How settings are chosen; tpe by default. random needs no Optuna.")
    ] = None,
    out: Out = None,
    overwrite: Overwrite = False,
    *,
    flags: Flags,
    reading: Reading,
) -> None:
    """Search settings of one or several models; the same command continues an interrupted study."""
    from foretide.jobs.results import result_of
    from foretide.jobs.searching import run_search, with_budget

    names = None if models is None else [name for name in models.split(",") if name.strip()]
    settings = with_budget(configured(config, reading, flags), names, n_trials, timeout, jobs, sampler)
    if flags.dry_run:
        return intend("tune", settings, flags, output=out, overwrite=overwrite)
    folder = work(lambda show: run_search(settings, output=out, overwrite=overwrite, progress=show), quiet=flags.quiet)
    flags.end(lambda: result_of(folder), lambda: _finish(folder), folder.path)


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
    echo(f"settings found: {folder.path / store.TUNED.file}")
    echo(f"report: {folder.path / store.SUMMARY.file}")
