"""``foretide predict``: what comes next, from a model kept by `fit` or `run`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from foretide.cli.common import Reading, plain_warnings, reads_tables
from foretide.cli.echo import echo, echo_data


@reads_tables
def predict(
    folder: Annotated[Path, typer.Argument(help="A folder made by `foretide fit` or `foretide run`.")],
    data: Annotated[
        Path | None,
        typer.Argument(
            help="A table, or a folder of Parquet files, with the columns of the one it was fitted on; - is standard "
            "input."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A .csv or .parquet file; printed otherwise.")] = None,
    model: Annotated[str | None, typer.Option(help="Which model, where the folder holds several.")] = None,
    cutoff: Annotated[
        list[str] | None,
        typer.Option(metavar="TIME", help="Last observed time; can be given several times. The end by default."),
    ] = None,
    levels: Annotated[
        str | None, typer.Option(help="Interval levels in percent, with commas, for models that have them: 80,95.")
    ] = None,
    quantiles: Annotated[
        str, typer.Option(help="Quantiles as fractions, with commas: 0.1,0.5 gives columns <Model>-ql0.1 and -ql0.5.")
    ] = "",
    notes: Annotated[
        bool,
        typer.Option("--notes", help="Add a column that names what a simple stand-in forecast, and why."),
    ] = False,
    what_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE",
            help="Print what differs under another value of a known-future column; can be given several times.",
        ),
    ] = None,
    *,
    reading: Reading,
) -> None:
    """Forecast from the end of every series, or from given cutoffs."""
    from foretide.cli.generate import write_table
    from foretide.data.exports import csv_text
    from foretide.forecasters.levels import COMMAND, DEFAULT_LEVELS, interval_levels, numbers_in, quantile_levels
    from foretide.jobs import predict_with

    wanted = DEFAULT_LEVELS
    if levels is not None:
        wanted = interval_levels(numbers_in(levels, flag="--levels", example="80,95"), typed=COMMAND)
    further = quantile_levels(numbers_in(quantiles, flag="--quantiles", example="0.1,0.5,0.9"), typed=COMMAND)

    def say(line: str) -> None:
        echo(line, err=True, fg=typer.colors.BLUE)

    with plain_warnings():
        table = predict_with(
            folder, data, model=model, cutoffs=cutoff or None, levels=wanted, quantiles=further, notes=notes,
            what_if=_changes(what_if or ()), reading=reading, progress=say,
        )  # fmt: skip
    if out is None:
        echo_data(csv_text(table))
        return
    write_table(table, out)
    echo(f"{out}: {len(table)} rows of {', '.join(map(str, table.columns))}")


def _changes(words: Iterable[str]) -> dict[str, float | str]:
    """Return columns and values of ``column=value``; numbers where they are some."""
    from foretide.errors import ConfigError

    found: dict[str, float | str] = {}
    for word in words:
        column, mark, value = word.partition("=")
        if not mark or not column.strip():
            raise ConfigError(f"--what-if is a column and its value, got {word!r}. Type e.g. --what-if promo=0")
        try:
            found[column.strip()] = float(value)
        except ValueError:
            found[column.strip()] = value.strip()
    return found
