"""The command line: one file per command, one line here."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from foretide.cli.echo import echo
from foretide.data.files import storage_error
from foretide.errors import DataError, ForetideError, StorageError

COMMANDS: dict[str, str] = {
    "forecast": "foretide.cli.forecast:forecast",
    "demo": "foretide.cli.demo:demo",
    "run": "foretide.cli.run:run",
    "backtest": "foretide.cli.backtest:backtest",
    "tune": "foretide.cli.tune:tune",
    "explain": "foretide.cli.explain:explain",
    "report": "foretide.cli.report:report",
    "check": "foretide.cli.check:check",
    "fit": "foretide.cli.fit:fit",
    "predict": "foretide.cli.predict:predict",
    "monitor": "foretide.cli.monitor:monitor",
    "serve": "foretide.cli.serve:serve",
    "generate": "foretide.cli.generate:app",
}
"""Name -> ``module:function``, or ``module:app`` where a command has commands of its own, in the order of the help."""


class _Command(TyperCommand):
    """A command that ends in order when interrupted, and whose help shows no type beside flags that take no value."""

    def invoke(self, ctx: Any) -> Any:
        from foretide.cli.common import interruptible

        with interruptible():
            return super().invoke(ctx)

    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))


class _Group(TyperGroup):
    """The same of several commands."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))


def _without_types(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
    return parameters


def command_line(commands: Mapping[str, str]) -> typer.Typer:
    """Return the command line of a table of commands.

    Parameters
    ----------
    commands : mapping
        As :data:`COMMANDS`.

    Returns
    -------
    typer.Typer

    Examples
    --------
    >>> from typer.testing import CliRunner
    >>> from foretide.cli.app import COMMANDS, command_line
    >>> "backtest" in CliRunner().invoke(command_line(COMMANDS), ["--help"]).output
    True
    """
    made = typer.Typer(
        name="foretide", cls=_Group, no_args_is_help=True, pretty_exceptions_enable=False,
        help="Forecast many related series and see why.",
        context_settings={"token_normalize_func": lambda name: name.replace("_", "-")},  # --n_series is --n-series
    )  # fmt: skip
    for name, place in commands.items():
        module, _, attribute = place.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if isinstance(command, typer.Typer):
            for below in command.registered_commands:
                below.cls = _Command
            made.add_typer(command, name=name, cls=_Group)
        else:
            made.command(name, cls=_Command)(command)
    made.callback()(_whole)
    return made


def _version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        echo(metadata.version("foretide"))
        raise typer.Exit


def _whole(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from; can stand anywhere.")] = False,
) -> None:
    """Forecast many related series and see why."""


app = command_line(COMMANDS)


def main() -> None:
    """Run the command line.

    0 is success, 1 a finding (``check``) or a disk that refuses, 2 an error that says what to do, 3 a change and 4 too
    few rows to judge by (``monitor``), 130 Ctrl-C, 143 SIGTERM.
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
    said: Exception = error
    if not isinstance(error, ForetideError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python says it again at its end
        if error.errno == errno.EPIPE:
            return
        place = error.filename if isinstance(error.filename, str) else "the output"
        said = storage_error(error, place, deed="read or write")
    from foretide.cli.common import name_flags

    text = name_flags(str(said)) if isinstance(error, DataError) else str(said)
    echo(f"error: {text}", err=True, fg=typer.colors.RED)
