"""``foretide run``: a configuration in, a run folder out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from foretide.cli.common import Out, Overwrite, configured, interruptible, progress, reads_tables, report


@reads_tables
def run(
    config: Annotated[Path, typer.Argument(help="A YAML file; see examples/.")],
    out: Out = None,
    overwrite: Overwrite = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Run the whole way that a configuration describes; ends with the path of the report."""
    from foretide.jobs import run as run_job

    with interruptible(), progress() as show:
        folder = run_job(configured(config, reading), output=out, overwrite=overwrite, progress=show)
    report(folder)
