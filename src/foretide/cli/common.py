"""What several commands share."""

from __future__ import annotations

import re
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias, cast

import typer

from foretide.cli.echo import echo
from foretide.cli.flags import Flags, with_options
from foretide.data.reading.options import FileOptions
from foretide.text import is_whole, visible

if TYPE_CHECKING:
    import pandas as pd

    from foretide.jobs.config import Config
    from foretide.jobs.folder import RunFolder
    from foretide.typing import Json

Progress = Callable[[str], None]
CTRL_C, TERMINATED = 130, 143
"""Exit codes, as shells have them: 128 and the number of the signal."""
GOES_ON = "; what is done so far is kept in the folder, and the same command goes on from there"
Reading: TypeAlias = FileOptions
"""Options of reading a table that were typed."""
ConfigFile = Annotated[Path, typer.Argument(help="A YAML file, as in examples/; - is standard input.")]
OneModel = Annotated[str | None, typer.Option(help="One of its models; all networks by default.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the run; a free name under runs/ by default.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a finished run in that folder.")]


def reads_tables(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a flag for every option of reading a table; those typed reach it as ``reading``, a dictionary.

    Parameters
    ----------
    command : callable

    Returns
    -------
    callable
    """
    from foretide.data.reading.options import Options

    flags: dict[str, tuple[object, object]] = {}
    for option in fields(Options):
        if "help" in option.metadata:
            kind = bool | None if isinstance(option.default, bool) else str | None
            typed = f"--{option.name.replace('_', '-')}"
            flag = typer.Option(typed, help=option.metadata["help"], rich_help_panel="Reading the table")
            flags[option.name] = (Annotated[kind, flag], None)

    def gather(typed: Json) -> Reading:
        given = {name: value for name, value in typed.items() if value is not None}
        if is_whole(str(given.get("freq", ""))):
            given["freq"] = int(given["freq"])
        return cast("Reading", given)

    return with_options(command, "reading", flags, gather)


def names_in(text: str | None) -> list[str] | None:
    """Return names with commas between them as a list; None where nothing was typed.

    Parameters
    ----------
    text : str or None

    Returns
    -------
    list of str or None
    """
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def roles_in(
    id: str | None, time: str | None, target: str | None, past: str | None, future: str | None, static: str | None
) -> dict[str, str | list[str] | None]:
    """Return the roles of columns as they were typed, by name; None where one is to be guessed.

    Parameters
    ----------
    id, target, past, future, static : str or None
        Columns with commas between them.
    time : str or None

    Returns
    -------
    dict
    """
    several = {"id": id, "target": target, "past": past, "future": future, "static": static}
    return {"time": time, **{role: names_in(text) for role, text in several.items()}}


def name_flags(text: str, more: Sequence[str] = ()) -> str:
    """Return a message with the flag behind every option that it says to type, once: ``freq='D' (--freq D)``.

    Parameters
    ----------
    more : sequence of str
        Names of flags beside those of :func:`reads_tables`.

    Returns
    -------
    str
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
    return re.sub(rf"(?<![\w.])({known})=(True|\d+|\[[^\]]*\]|'[^']*'|\"[^\"]*\")(?![\w)]| \(--)", with_flag, text)


def configured(config: Path, reading: Reading, flags: Flags) -> Config:
    """Return a configuration with the settings of a command, and with its table read as the flags say.

    Parameters
    ----------
    config : path
        ``-`` is standard input.
    reading : Reading
    flags : Flags

    Returns
    -------
    Config
    """
    from foretide.jobs.config import load_config, with_reading

    checked = load_config(config, flags.settings)
    return with_reading(checked, reading) if reading else checked


def intend(
    job: str,
    config: Config,
    flags: Flags,
    *,
    output: Path | None = None,
    overwrite: bool = False,
    model: str | None = None,
) -> None:
    """Say what a job would do, for ``--dry-run``.

    Parameters
    ----------
    job : str
    config : Config
    flags : Flags
    output, overwrite, model
        As for :func:`foretide.jobs.planning.planned`.
    """
    from foretide.jobs.planning import planned, told

    with plain_warnings():
        found = planned(job, config, output=output, overwrite=overwrite, model=model)
    flags.end(lambda: found, lambda: echo(told(found)), found["folder"])


@contextmanager
def progress(*, lines: bool = True, quiet: bool = False) -> Iterator[Progress | None]:
    """Show the current step on a terminal, and leave a line for each with ``lines``; say nothing elsewhere.

    Parameters
    ----------
    lines : bool
    quiet : bool
        Say nothing on a terminal either.

    Yields
    ------
    Progress or None
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True)
    with console.status("starting") as status:

        def show(text: str) -> None:
            if lines:
                console.log(visible(text), highlight=False, markup=False)
            status.update(escape(visible(text)))

        yield show


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Print a warning as one line, without the place in the code that raised it.

    Yields
    ------
    None
    """
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: echo(f"warning: {message}", err=True)
        yield


@contextmanager
def interruptible(kept: str = "") -> Iterator[None]:
    """Let Ctrl-C, and a polite request to end (SIGTERM), end a command in order, with exit code 130 or 143.

    Parameters
    ----------
    kept : str
        What is said of the work that was done.

    Yields
    ------
    None
    """
    code = CTRL_C

    def terminate(*_: object) -> None:
        nonlocal code
        code = TERMINATED
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except KeyboardInterrupt:
        echo(f"interrupted{kept}", err=True)
        raise typer.Exit(code) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def work(
    job: Callable[[Progress | None], RunFolder], *, lines: bool = True, quiet: bool = False
) -> RunFolder:  # fmt: skip
    """Do a job, which gets what shows its steps; Ctrl-C ends it in order. ``lines`` leaves a line for each step.

    Parameters
    ----------
    job : callable
    lines : bool
    quiet : bool
        Show nothing.

    Returns
    -------
    RunFolder
    """
    with interruptible(GOES_ON), progress(lines=lines, quiet=quiet) as show:
        return job(show)


def finish(folder: RunFolder, flags: Flags) -> None:
    """End with the verdict, the leaderboard and the paths of page and report.

    Parameters
    ----------
    folder : RunFolder
    flags : Flags
    """
    from foretide.evaluation.metrics.table import shown_metrics
    from foretide.jobs import store
    from foretide.jobs.results import result_of

    def say() -> None:
        card = folder.need(store.CARD)
        board = card.pandas(card.leaderboard())
        metrics = shown_metrics(board.columns, "page of counts" if card.counts else "page", card.main)
        shown = [
            "model",
            "kind",
            *metrics,
            "skill_vs_best_baseline",
            "ratio_to_oracle",
            "wql_ratio_to_oracle",
            "unused",
        ]
        echo_board(card.verdict(), board[[c for c in shown if c in board.columns]])
        table = folder.read(store.ABLATIONS)
        for title, rows in () if table is None else table.groupby("ablation", sort=False):
            echo_board(f"{title}, each row beside the one before it:", rows.drop(columns="ablation"))
        page(folder)
        echo(f"report: {folder.path / store.SUMMARY.file}")

    flags.end(lambda: result_of(folder), say, folder.path)


def echo_board(verdict: str, board: pd.DataFrame) -> None:
    """Print a verdict and the leaderboard under it.

    Parameters
    ----------
    verdict : str
    board : pd.DataFrame
    """
    echo(f"{verdict}\n")
    echo(f"{board.to_string(index=False, na_rep='', float_format='{:.4g}'.format)}\n")


def page(folder: RunFolder) -> None:
    """Say where the job has written the report as one HTML file.

    Parameters
    ----------
    folder : RunFolder
    """
    from foretide.jobs import store

    echo(f"page: {folder.path / store.REPORT.file}")
