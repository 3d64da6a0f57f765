"""``foretide fit``: one model on all of a table, kept in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from foretide.cli.common import Overwrite, configured, interruptible, plain_warnings, progress, reads_tables


@reads_tables
def fit(
    config: Annotated[Path, typer.Argument(help="A YAML file as for `foretide run`: its data, h and models are used.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model.")],
    model: Annotated[str | None, typer.Option(help="Which model of the configuration; the first by default.")] = None,
    overwrite: Overwrite = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Fit one model on all observed data, to forecast what comes next with `foretide predict`."""
    from foretide.jobs import fit_model

    with interruptible(), plain_warnings(), progress() as show:
        folder = fit_model(configured(config, reading), out, model=model, overwrite=overwrite, progress=show)
    typer.echo(f"model: {folder.path}")
    typer.echo(f"forecast: foretide predict {folder.path} DATA --out forecast.csv")
