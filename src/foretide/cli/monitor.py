"""``foretide monitor``: whether a model at work still does what it did, on data like those it knew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretide.cli.common import Reading, plain_warnings, reads_tables
from foretide.cli.echo import echo

CODES = {"fine": 0, "changed": 3, "unknown": 4}
"""Exit code by verdict."""


@reads_tables
def monitor(
    folder: Annotated[Path, typer.Argument(help="A folder made by `foretide fit`, `run` or `forecast`, or by save.")],
    data: Annotated[
        Path,
        typer.Argument(help="A table, or a folder of Parquet files, with rows after the fit; - is standard input."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for monitor.html, monitor.json and monitor.csv.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Folder of a run or backtest of the model, to compare errors with.")
    ] = None,
    history: Annotated[
        Path | None, typer.Option(help="The table fitted on, where the folder does not name it any more.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Which model, where the folder holds several.")] = None,
    alpha: Annotated[float, typer.Option(help="Probability of an alarm where nothing has changed, at most.")] = 0.05,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict alone.")] = False,
    *,
    reading: Reading,
) -> None:
    """Compare new rows with what a model forecast for them, and with the rows it knew.

    Exit code 0: no change that chance would not explain. 3: something has changed. 4: too few new rows to judge by.
    """
    from json import dumps

    from foretide.cli.flags import plain
    from foretide.jobs.monitoring import monitor as watch
    from foretide.jobs.monitoring import write_monitor

    with plain_warnings():
        found = watch(folder, data, name=model, history=history, against=against, alpha=alpha, reading=reading)
    page = None if out is None else write_monitor(found, out)
    if json:
        echo(dumps(plain(found.to_dict()), indent=2, ensure_ascii=False))
    elif quiet:
        echo(found.verdict)
    else:
        echo(found.to_text())
        if page is not None:
            echo(f"page: {page}")
    raise typer.Exit(CODES[found.verdict])
