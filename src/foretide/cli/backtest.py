"""``foretide backtest``: rolling origins, a leaderboard against the simple baselines, tests and pictures."""

from __future__ import annotations

from foretide.cli.common import ConfigFile, Out, Overwrite, Reading, configured, finish, intend, reads_tables, work
from foretide.cli.flags import Flags, does_a_job


@reads_tables
@does_a_job
def backtest(
    config: ConfigFile, out: Out = None, overwrite: Overwrite = False, *, flags: Flags, reading: Reading
) -> None:  # fmt: skip
    """Backtest the models of a configuration; the same command resumes an interrupted one."""
    from foretide.jobs import run_backtest as job

    settings = configured(config, reading, flags)
    if flags.dry_run:
        return intend("backtest", settings, flags, output=out, overwrite=overwrite)
    folder = work(
        lambda show: job(settings, output=out, overwrite=overwrite, progress=show), lines=False, quiet=flags.quiet
    )
    finish(folder, flags)
