"""``foretide run``: a configuration in, a run folder out."""

from __future__ import annotations

from foretide.cli.common import ConfigFile, Out, Overwrite, Reading, configured, finish, reads_tables, work


@reads_tables
def run(config: ConfigFile, out: Out = None, overwrite: Overwrite = False, *, reading: Reading) -> None:
    """Run a configuration end to end; ends with the path of the report."""
    from foretide.jobs import run as job

    settings = configured(config, reading)
    finish(work(lambda show: job(settings, output=out, overwrite=overwrite, progress=show)))
