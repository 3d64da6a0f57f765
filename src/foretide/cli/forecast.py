"""``foretide forecast``: a table in; what comes next, a page and a model out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from foretide.cli import completion
from foretide.cli.check import ROLES
from foretide.cli.common import (
    Overwrite,
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
from foretide.cli.echo import echo, echo_data
from foretide.cli.flags import Flags, does_a_job

if TYPE_CHECKING:
    from foretide.jobs.folder import RunFolder
    from foretide.jobs.forecasting import Ask
    from foretide.jobs.tables import Roles

    Request: TypeAlias = tuple[Ask, Roles, Reading]

STDOUT = "-"
SHOWN = ("candidate", "model", "kind", "wql", "mase", "rmse", "weight", "seconds", "left_out")
FIRST = 6
"""Rows of the leaderboard that are printed."""
FURTHER = (*ROLES, "h")


@reads_tables
@does_a_job
def forecast(
    data: Annotated[
        str, typer.Argument(help="A CSV or Parquet file, or a folder of Parquet files; - is standard input.")
    ],
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
    model: Annotated[
        str,
        typer.Option(
            autocompletion=completion.models, help="What forecasts; Auto tries several and blends the good ones."
        ),
    ] = "Auto",
    levels: Annotated[str, typer.Option(help="Interval levels in percent, with commas.")] = "80,95",
    quantiles: Annotated[str, typer.Option(help="Further quantiles as fractions, with commas: 0.1,0.5.")] = "",
    season: Annotated[int | None, typer.Option(min=1, help="Steps of one season; found by default.")] = None,
    time_limit: Annotated[float, typer.Option(help="Seconds that it may take.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal forecasts.")] = 0,
    overwrite: Overwrite = False,
    *,
    flags: Flags,
    reading: Reading,
) -> None:
    """Forecast what comes next in a table; columns without a role named are guessed.

    Leaves a folder with forecast.csv, forecast.parquet, the page report.html and the model, for foretide predict.
    """
    from foretide.errors import ConfigError, DataError
    from foretide.forecasters.levels import COMMAND, interval_levels, numbers_in, quantile_levels
    from foretide.jobs.forecast_settings import changed_call
    from foretide.jobs.forecasting import Ask

    wanted = interval_levels(numbers_in(levels, flag="--levels", example="80,95"), typed=COMMAND)
    further = quantile_levels(numbers_in(quantiles, flag="--quantiles", example="0.1,0.5,0.9"), typed=COMMAND)
    ask = Ask(h, model, wanted, further, season, time_limit, seed)
    roles = roles_in(id, time, target, past, future, static)
    try:
        request = changed_call(ask, roles, reading, flags.settings)
        if flags.dry_run:
            _intend(data, request, flags, out, overwrite=overwrite)
        elif out == STDOUT:
            _print(data, request, flags)
        else:
            _work(data, request, flags, out, overwrite=overwrite)
    except (ConfigError, DataError) as error:
        raise type(error)(name_flags(str(error), FURTHER)) from error


def _intend(data: str, request: Request, flags: Flags, out: str | None, *, overwrite: bool) -> None:
    """Say what would be done."""
    from foretide.jobs.forecasting import Call
    from foretide.jobs.planning import planned_forecast, told

    ask, roles, reading = request
    found = planned_forecast(Call.of(data, ask, roles, reading), None if out == STDOUT else out, overwrite=overwrite)
    flags.end(lambda: found, lambda: echo(told(found)), found["folder"])


def _work(data: str, request: Request, flags: Flags, out: str | None, *, overwrite: bool) -> None:
    """Leave a folder; end with how the table was read, the verdict, the best candidates and where the files are."""
    from foretide.jobs.forecasting import run_forecast
    from foretide.jobs.results import result_of

    folder = work(
        lambda show: run_forecast(data, *request, output=out, overwrite=overwrite, progress=show), quiet=flags.quiet
    )
    flags.end(lambda: result_of(folder), lambda: _say(folder), folder.path)


def _print(data: str, request: Request, flags: Flags) -> None:
    """Print the forecast on standard output, and nothing else there."""
    from foretide.data.exports import csv_text
    from foretide.jobs.forecasting import Call

    ask, roles, reading = request
    with interruptible(), progress(lines=False, quiet=flags.quiet) as show:
        result = Call.of(data, ask, roles, reading).result(show or (lambda _: None))
    outcome = result.outcome()
    if flags.json:
        about = {"verdict": outcome.verdict, "leaderboard": outcome.board, "notes": outcome.notes}
        flags.end(lambda: {**about, "forecast": outcome.table}, lambda: None, STDOUT)
        return
    for line in () if flags.quiet else (*outcome.notes, outcome.verdict):
        echo(name_flags(line, FURTHER), err=True, fg=typer.colors.BLUE)
    echo_data(csv_text(outcome.table, float_format="%.10g"))


def _say(folder: RunFolder) -> None:
    from foretide.jobs import store

    facts, board = folder.need(store.FACTS), folder.read(store.LEADERBOARD)
    for note in facts["notes"]:
        echo(name_flags(note, FURTHER), fg=typer.colors.BLUE)
    echo()
    if board is None:
        echo(f"{facts['verdict']}\n")
    else:
        echo_board(facts["verdict"], board[[name for name in SHOWN if name in board]].head(FIRST))
    for name in store.FORECAST.places()[::-1]:
        echo(f"forecast: {folder.path / name}")
    page(folder)
    echo(f"model: {folder.path}; new rows: foretide predict {folder.path} NEW.csv")
