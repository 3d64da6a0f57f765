"""What several commands share."""

from __future__ import annotations

import functools
import inspect
import re
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foretide.report.summary import shown_columns

if TYPE_CHECKING:
    from foretide.jobs.config import Config
    from foretide.jobs.folder import RunFolder

Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the run; a free name under runs/ by default.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a finished run in that folder.")]


def reads_tables(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a flag for every option of reading a table; those typed reach it as ``reading``, a dictionary."""
    from foretide.data.reading.options import Options

    flags = []
    for option in fields(Options):
        if "help" not in option.metadata:
            continue
        kind: Any = bool | None if isinstance(option.default, bool) else str | None
        typed = f"--{option.name.replace('_', '-')}"
        flag = typer.Option(typed, help=option.metadata["help"], rich_help_panel="Reading the table")
        flags.append(
            inspect.Parameter(
                option.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, flag]
            )
        )
    names = [flag.name for flag in flags]
    own = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def with_flags(**given: Any) -> None:
        reading = {name: value for name in names if (value := given.pop(name)) is not None}
        if str(reading.get("freq", "")).isdigit():
            reading["freq"] = int(reading["freq"])
        command(**given, reading=reading)

    kept = [parameter for parameter in own.parameters.values() if parameter.name != "reading"]
    with_flags.__signature__ = own.replace(parameters=[*kept, *flags])  # type: ignore[attr-defined]
    with_flags.__annotations__ = {p.name: p.annotation for p in (*kept, *flags)}
    return with_flags


def name_flags(text: str, more: Sequence[str] = ()) -> str:
    """Return a message with the flag behind every option that it says to type: ``freq='D' (--freq D)``.

    Parameters
    ----------
    more : sequence of str
        Names of flags beside those of :func:`reads_tables`.
    """
    from foretide.data.reading.options import Options

    names = [option.name for option in fields(Options) if "help" in option.metadata]

    def with_flag(found: re.Match[str]) -> str:
        name, given = found[1], found[2]
        flag = f"--{name.replace('_', '-')}"
        if given != "True":
            cells = re.findall(r"'([^']*)'|\"([^\"]*)\"", given)
            value = ",".join(one or other for one, other in cells) if cells else given
            flag += f" {shlex.quote(value)}"
        return found[0] if "..." in given else f"{found[0]} ({flag})"

    known = "|".join((*names, *more))
    return re.sub(rf"(?<![\w.])({known})=(True|\d+|\[[^\]]*\]|'[^']*'|\"[^\"]*\")(?![\w)])", with_flag, text)


def configured(config: Path, reading: dict[str, Any]) -> Path | Config:
    """Return a configuration whose table is read as the flags of a command say; the path itself without any."""
    from foretide.jobs.config import load_config, with_reading

    return with_reading(load_config(config), reading) if reading else config


@contextmanager
def progress(*, lines: bool = True) -> Iterator[Callable[[str], None] | None]:
    """Show the current step on a terminal, and leave a line for each with ``lines``; say nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("starting") as status:

        def show(text: str) -> None:
            if lines:
                console.log(text, highlight=False, markup=False)
            status.update(text)

        yield show


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Print a warning as one line, without the place in the code that raised it."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: typer.secho(f"warning: {message}", err=True)
        yield


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C, and a polite request to end (SIGTERM), leave a folder that says it is unfinished; exit with 130."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        typer.secho("interrupted; the run folder says it is unfinished", err=True)
        raise typer.Exit(130) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def report(folder: RunFolder) -> None:
    """End with the verdict, the leaderboard and the path of the report."""
    import json

    import pandas as pd

    facts = json.loads((folder.path / "run.json").read_text(encoding="utf-8"))
    board = pd.read_csv(folder.path / "metrics.csv")
    shown = [c for c in ("model", "kind", *shown_columns(facts)) if c in board.columns]
    typer.echo(facts["verdict"])
    typer.echo()
    typer.echo(board[shown].to_string(index=False, na_rep="", float_format="{:.4g}".format))
    typer.echo()
    page(folder.path)
    typer.echo(f"report: {folder.path / 'summary.md'}")


def page(folder: Path) -> None:
    """Write the report as one HTML file too, and say where."""
    from foretide.jobs.reporting import write_report

    typer.echo(f"page: {write_report(folder)}")
