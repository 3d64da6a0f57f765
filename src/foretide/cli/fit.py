"""``foretide fit``: one model on all of a table, kept in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretide.cli.common import ConfigFile, Overwrite, Reading, configured, intend, plain_warnings, reads_tables, work
from foretide.cli.echo import echo
from foretide.cli.flags import Flags, does_a_job


@reads_tables
@does_a_job
def fit(
    config: ConfigFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model.")],
    model: Annotated[str | None, typer.Option(help="Which model of the configuration; the first by default.")] = None,
    overwrite: Overwrite = False,
    *,
    flags: Flags,
    reading: Reading,
) -> None:
    """Fit one model on all observed data, to forecast what comes next with `foretide predict`."""
    from foretide.jobs import fit_model
    from foretide.jobs.results import result_of

    settings = configured(config, reading, flags)
    if flags.dry_run:
        return intend("fit", settings, flags, output=out, overwrite=overwrite, model=model)
    with plain_warnings():
        folder = work(
            lambda show: fit_model(settings, out, model=model, overwrite=overwrite, progress=show), quiet=flags.quiet
        )

    def say() -> None:
        echo(f"model: {folder.path}")
        echo(f"forecast: foretide predict {folder.path} DATA --out forecast.csv")

    flags.end(lambda: result_of(folder), say, folder.path)
