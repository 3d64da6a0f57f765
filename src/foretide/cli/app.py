"""The command line: one file per command, one line here."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from foretide.cli import backtest, check, demo, explain, fit, generate, predict, report, run, tune
from foretide.data.files import storage_error
from foretide.errors import DataError, ForetideError, StorageError

COMMANDS: dict[str, Callable[..., Any]] = {
    "demo": demo.demo,
    "run": run.run,
    "backtest": backtest.backtest,
    "tune": tune.tune,
    "explain": explain.explain,
    "report": report.report,
    "check": check.check,
    "fit": fit.fit,
    "predict": predict.predict,
}
GROUPS: dict[str, typer.Typer] = {"generate": generate.app}

app = typer.Typer(
    name="foretide",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Forecast many related series and see why.",
)
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)
for _name, _group in GROUPS.items():
    app.add_typer(_group, name=_name)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(metadata.version("foretide"))
        raise typer.Exit


@app.callback()
def _whole(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from; can stand anywhere.")] = False,
) -> None:
    """Forecast many related series and see why."""


def main() -> None:
    """Run the command line.

    0 is success, 1 a finding (``check``) or a disk that refuses, 2 an error that says what to do, 130 Ctrl-C.
    """
    debug = "--debug" in sys.argv[1:]
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # a full disk under a redirected output shows here
    except (ForetideError, OSError) as error:
        if debug:
            raise
        _say(error)
        sys.exit(1 if isinstance(error, StorageError) or not isinstance(error, ForetideError) else 2)


def _say(error: ForetideError | OSError) -> None:
    """Print an error as one line; what reads the output may be gone, or its disk full."""
    told: Exception = error
    if not isinstance(error, ForetideError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tells of it again at its end
        if error.errno == errno.EPIPE:
            return
        place = error.filename if isinstance(error.filename, str) else "the output"
        told = storage_error(error, place, deed="read or write")
    from foretide.cli.common import name_flags

    text = name_flags(str(told)) if isinstance(error, DataError) else str(told)
    typer.secho(f"error: {text}", err=True, fg=typer.colors.RED)
