"""``foretide run``: a configuration in, a run folder out."""

from __future__ import annotations

from foretide.cli.common import ConfigFile, Out, Overwrite, Reading, configured, finish, intend, reads_tables, work
from foretide.cli.flags import Flags, does_a_job


@reads_tables
@does_a_job
def run(config: ConfigFile, out: Out = None, overwrite: Overwrite = False, *, flags: Flags, reading: Reading) -> None:
    """Run a configuration end to end; ends with the path of the report."""
    from foretide.jobs import run as job

    settings = configured(config, reading, flags)
    if flags.dry_run:
        return intend("run", settings, flags, output=out, overwrite=overwrite)
    finish(work(lambda show: job(settings, output=out, overwrite=overwrite, progress=show), quiet=flags.quiet), flags)
