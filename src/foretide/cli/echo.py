"""What commands print: text of tables that others wrote cannot steer the terminal."""

from __future__ import annotations

import sys

import typer

from foretide.text import visible


def echo(text: object = "", *, err: bool = False, fg: str | None = None) -> None:
    """Print a line, control characters spelt out.

    Parameters
    ----------
    text : object
    err : bool
        On standard error.
    fg : str, optional
        Colour.
    """
    typer.secho(visible(text), err=err, fg=fg)


def echo_data(text: str) -> None:
    """Print data: as they are where a file or a program reads them, control characters spelt out on a terminal.

    Parameters
    ----------
    text : str
        Ends in a line feed.
    """
    typer.echo(visible(text) if sys.stdout.isatty() else text, nl=False)
