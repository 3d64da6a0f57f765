"""``foretide fit``: one model on all of a table, kept in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretide.cli.common import ConfigFile, Overwrite, Reading, configured, plain_warnings, reads_tables, work


@reads_tables
def fit(
    config: ConfigFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model.")],
    model: Annotated[str | None, typer.Option(help="Which model of the configuration; the first by default.")] = None,
    overwrite: Overwrite = False,
    *,
    reading: Reading,
) -> None:
    """Fit one model on all observed data, to forecast what comes next with `foretide predict`."""
    from foretide.jobs import fit_model

    with plain_warnings():
        settings = configured(config, reading)
        folder = work(lambda show: fit_model(settings, out, model=model, overwrite=overwrite, progress=show))
    typer.echo(f"model: {folder.path}")
    typer.echo(f"forecast: foretide predict {folder.path} DATA --out forecast.csv")
