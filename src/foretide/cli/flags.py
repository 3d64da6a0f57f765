"""What commands that do a job have in common: settings by name, and how much they say, to whom."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foretide.cli import completion
from foretide.cli.echo import echo

if TYPE_CHECKING:
    from foretide.typing import Json

PANEL = "Settings and output"
FLAGS: dict[str, tuple[object, object]] = {
    "settings": (
        Annotated[
            list[str] | None,
            typer.Option(
                "--set", metavar="KEY=VALUE", rich_help_panel=PANEL, autocompletion=completion.settings,
                help="Any setting, such as h=7 or LSTM.epochs=3; can be given several times.",
            ),
        ],
        None,
    ),
    "executor": (
        Annotated[
            str | None,
            typer.Option(
                "--executor", metavar="NAME", rich_help_panel=PANEL,
                help="Where fits run side by side: serial, processes or ray.",
            ),
        ],
        None,
    ),
    "address": (
        Annotated[
            str | None,
            typer.Option(
                "--address", metavar="HOST:PORT", rich_help_panel=PANEL,
                help="The Ray cluster; by default Ray is started on this machine.",
            ),
        ],
        None,
    ),
    "dry_run": (
        Annotated[
            bool, typer.Option("--dry-run", rich_help_panel=PANEL, help="Say what would be done, and make nothing.")
        ],
        False,
    ),
    "json": (
        Annotated[bool, typer.Option("--json", rich_help_panel=PANEL, help="Print the result as JSON.")],
        False,
    ),
    "quiet": (
        Annotated[
            bool, typer.Option("--quiet", "-q", rich_help_panel=PANEL, help="No progress; print the result's path.")
        ],
        False,
    ),
}  # fmt: skip
"""Flag -> its annotation and default, in the order of the help."""


@dataclass(frozen=True)
class Flags:
    """The flags of :data:`FLAGS` as they were typed.

    Attributes
    ----------
    settings : tuple of str
        ``key=value`` each, as typed; :func:`foretide.jobs.settings.read_pairs` reads them.
    executor, address : str or None
        Where fits run; an address is that of a Ray cluster.
    dry_run : bool
        Say what would be done, and make nothing.
    json : bool
        Print one JSON object on standard output, and nothing else there.
    quiet : bool
        No progress and no tables.
    """

    settings: tuple[str, ...] = ()
    executor: str | None = None
    address: str | None = None
    dry_run: bool = False
    json: bool = False
    quiet: bool = False

    def place(self) -> AbstractContextManager[object]:
        """Let all of the command run on the executor that was named.

        Returns
        -------
        context manager

        Raises
        ------
        ConfigError, MissingExtraError
        """
        if self.executor is None and self.address is None:
            return nullcontext()
        from foretide.errors import ConfigError
        from foretide.parallel import using

        name = self.executor or "ray"
        if self.address is not None and name != "ray":
            raise ConfigError(f"--address is that of a Ray cluster. Type: --executor ray --address {self.address}")
        return using(name if self.address is None else {name: {"address": self.address}})

    def end(self, result: Callable[[], Mapping[str, object]], say: Callable[[], object], path: Path | str) -> None:
        """End a command: with JSON, with a path alone, or with what it says to people.

        Parameters
        ----------
        result : callable
            Makes what ``--json`` prints.
        say : callable
            Prints the same for people.
        path : path
            What ``--quiet`` prints.
        """
        if self.json:
            echo(json.dumps(plain(dict(result())), indent=2, ensure_ascii=False))
        elif self.quiet:
            echo(str(path))
        else:
            say()


def does_a_job(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flags of :data:`FLAGS`; they reach it as ``flags``, a :class:`Flags`.

    Parameters
    ----------
    command : callable

    Returns
    -------
    callable
    """

    def gather(typed: Json) -> Flags:
        return Flags(
            tuple(typed["settings"] or ()), typed["executor"], typed["address"], typed["dry_run"], typed["json"],
            typed["quiet"],
        )  # fmt: skip

    @functools.wraps(command)
    def there(**given: object) -> None:
        flags = given["flags"]
        assert isinstance(flags, Flags)
        with flags.place():
            command(**given)

    return with_options(there, "flags", FLAGS, gather)


def with_options(
    command: Callable[..., None],
    name: str,
    options: Mapping[str, tuple[object, object]],
    gather: Callable[[Json], object],
) -> Callable[..., None]:
    """Give a command options in place of one parameter, which gets what was typed.

    Parameters
    ----------
    command : callable
    name : str
        The parameter.
    options : mapping
        Name -> annotation and default.
    gather : callable
        Makes the parameter's value of what was typed, a dictionary.

    Returns
    -------
    callable
    """
    own = inspect.signature(command, eval_str=True)
    more = [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for option, (annotation, default) in options.items()
    ]

    @functools.wraps(command)
    def with_flags(**given: object) -> None:
        typed: Json = {option: given.pop(option) for option in options}
        command(**given, **{name: gather(typed)})

    kept = [parameter for parameter in own.parameters.values() if parameter.name != name]
    # The parameters of an outer decorator stay last, as it takes them away again.
    last = [p for p in kept if p.kind is inspect.Parameter.KEYWORD_ONLY]
    first = [p for p in kept if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    with_flags.__signature__ = own.replace(parameters=[*first, *last, *more])  # type: ignore[attr-defined]
    with_flags.__annotations__ = {p.name: p.annotation for p in (*first, *last, *more)}
    return with_flags


def plain(value: object) -> object:
    """Return a value as JSON holds it: tables as records, missing numbers as null, times and paths as text.

    Parameters
    ----------
    value : object

    Returns
    -------
    object
    """
    import math

    import numpy as np
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        return [plain(row) for row in value.to_dict("records")]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return [plain(entry) for entry in value]
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, (bool, int, str)) else str(value)
