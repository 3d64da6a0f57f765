"""``foretide run``: a configuration in, a run folder out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretide.cli.common import Out, Overwrite, interruptible, progress, report


def run(
    config: Annotated[Path, typer.Argument(help="A YAML file; see examples/.")],
    out: Out = None,
    overwrite: Overwrite = False,
) -> None:
    """Run the whole way that a configuration describes; ends with the path of the report."""
    from foretide.pipeline import run as run_job

    with interruptible(), progress() as show:
        folder = run_job(config, output=out, overwrite=overwrite, progress=show)
    report(folder)
