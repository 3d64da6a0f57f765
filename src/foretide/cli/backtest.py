"""``foretide backtest``: rolling origins, a leaderboard against the simple baselines, tests and pictures."""

from __future__ import annotations

from foretide.cli.common import ConfigFile, Out, Overwrite, Reading, configured, finish, reads_tables, work


@reads_tables
def backtest(config: ConfigFile, out: Out = None, overwrite: Overwrite = False, *, reading: Reading) -> None:
    """Backtest the models of a configuration; the same command resumes an interrupted one."""
    from foretide.jobs import run_backtest as job

    settings = configured(config, reading)
    finish(work(lambda show: job(settings, output=out, overwrite=overwrite, progress=show), lines=False))
