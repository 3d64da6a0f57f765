"""``foretide forecast``: a table in; what comes next, a page and a model out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foretide.cli.check import ROLES
from foretide.cli.common import (
    Overwrite,
    Progress,
    Reading,
    echo_board,
    interruptible,
    name_flags,
    page,
    progress,
    reads_tables,
    roles_in,
    work,
)

if TYPE_CHECKING:
    from foretide.jobs.folder import RunFolder
    from foretide.jobs.forecasting import Ask

STDOUT = "-"
SHOWN = ("candidate", "model", "kind", "wql", "mase", "rmse", "weight", "seconds", "left_out")
FIRST = 6
"""Rows of the leaderboard that are printed."""
FURTHER = (*ROLES, "h")


@reads_tables
def forecast(
    data: Annotated[str, typer.Argument(help="A CSV or Parquet file; - is standard input.")],
    h: Annotated[int | None, typer.Option("--h", min=1, help="Steps to forecast; one season by default.")] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help="Folder; a free name under runs/ by default. - prints the forecast as CSV."),
    ] = None,
    id: Annotated[str | None, typer.Option(help="Column that names the series, or several with commas.")] = None,
    time: Annotated[str | None, typer.Option(help="Column of the times.")] = None,
    target: Annotated[str | None, typer.Option(help="Columns to forecast, with commas.")] = None,
    past: Annotated[str | None, typer.Option(help="Columns known up to the end, with commas.")] = None,
    future: Annotated[str | None, typer.Option(help="Columns known ahead, with commas.")] = None,
    static: Annotated[str | None, typer.Option(help="Columns with one value per series, with commas.")] = None,
    model: Annotated[str, typer.Option(help="What forecasts; Auto tries several and blends the good ones.")] = "Auto",
    levels: Annotated[str, typer.Option(help="Interval levels in percent, with commas.")] = "80,95",
    quantiles: Annotated[str, typer.Option(help="Further quantiles as fractions, with commas: 0.1,0.5.")] = "",
    season: Annotated[int | None, typer.Option(min=1, help="Steps of one season; found by default.")] = None,
    time_limit: Annotated[float, typer.Option(help="Seconds that Auto may take.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal forecasts.")] = 0,
    overwrite: Overwrite = False,
    *,
    reading: Reading,
) -> None:
    """Forecast what comes next in a table; columns without a role named are guessed.

    Leaves a folder with forecast.csv, forecast.parquet, the page report.html and the model, which `foretide predict`
    takes.
    """
    from foretide.errors import ConfigError, DataError
    from foretide.forecasters.levels import COMMAND, interval_levels, numbers_in, quantile_levels
    from foretide.jobs.forecasting import Ask

    wanted = interval_levels(numbers_in(levels, flag="--levels", example="80,95"), typed=COMMAND)
    further = quantile_levels(numbers_in(quantiles, flag="--quantiles", example="0.1,0.5,0.9"), typed=COMMAND)
    ask = Ask(h, model, wanted, further, season, time_limit, seed)
    roles = roles_in(id, time, target, past, future, static)
    try:
        if out == STDOUT:
            _print(data, ask, roles, reading)
            return
        folder = work(lambda show: _run(data, ask, roles, reading, out, overwrite=overwrite, show=show))
    except (ConfigError, DataError) as error:
        raise type(error)(name_flags(str(error), FURTHER)) from error
    _say(folder)


def _run(
    data: str, ask: Ask, roles: dict[str, str | list[str] | None], reading: Reading, out: str | None, *,
    overwrite: bool, show: Progress | None,
) -> RunFolder:  # fmt: skip
    from foretide.jobs.forecasting import run_forecast

    output = None if out is None else Path(out)
    return run_forecast(data, ask, roles, reading, output=output, overwrite=overwrite, progress=show)


def _print(data: str, ask: Ask, roles: dict[str, str | list[str] | None], reading: Reading) -> None:
    """Print the forecast as CSV, and nothing else on standard output."""
    from foretide.jobs.forecasting import Call

    with interruptible(), progress(lines=False) as show:
        result = Call.of(data, ask, roles, reading).result(show or (lambda _: None))
    for note in result.notes:
        typer.secho(name_flags(note, FURTHER), err=True, fg=typer.colors.BLUE)
    typer.secho(result.verdict(), err=True)
    result.outcome().table.to_csv(sys.stdout, index=False, float_format="%.10g")


def _say(folder: RunFolder) -> None:
    """End with how the table was read, the verdict, the best candidates and where the files are."""
    from foretide.jobs import store

    facts, board = folder.need(store.FACTS), folder.read(store.LEADERBOARD)
    for note in facts["notes"]:
        typer.secho(name_flags(note, FURTHER), fg=typer.colors.BLUE)
    typer.echo()
    if board is None:
        typer.echo(f"{facts['verdict']}\n")
    else:
        echo_board(facts["verdict"], board[[name for name in SHOWN if name in board]].head(FIRST))
    for name in store.FORECAST.places()[::-1]:
        typer.echo(f"forecast: {folder.path / name}")
    page(folder)
    typer.echo(f"model: {folder.path}; new rows: foretide predict {folder.path} NEW.csv")
