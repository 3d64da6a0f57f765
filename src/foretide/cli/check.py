"""``foretide check``: what is in a table, what models will do with it; whether a model looks at the future of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foretide.cli import completion
from foretide.cli.common import Reading, name_flags, names_in, reads_tables, roles_in
from foretide.cli.echo import echo
from foretide.data.tables.source import STDIN
from foretide.errors import ConfigError, nearest

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.reading.problems import Problem
    from foretide.evaluation.model import Model
    from foretide.typing import Json

COLOURS = {"error": typer.colors.RED, "warning": typer.colors.YELLOW, "note": typer.colors.BLUE}
ROLES = ("id", "time", "target", "past", "future", "static")
H = 14
"""Steps forecast where no number is typed."""
Table = Annotated[
    Path, typer.Argument(help="A CSV or Parquet file, or a folder of Parquet files; - is standard input.")
]
LookedAhead = Annotated[
    str | None,
    typer.Option(help="Models to look ahead for, with commas: Ridge,LSTM.", autocompletion=completion.models),
]
ModelSettings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Setting of the model, such as season=7.")
]


@reads_tables
def check(
    data: Table,
    id: Annotated[
        str | None, typer.Option(help="Column that names the entity, or several with commas; guessed by default.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Column of the times; guessed by default.")] = None,
    target: Annotated[str | None, typer.Option(help="Target columns, with commas; guessed by default.")] = None,
    past: Annotated[str | None, typer.Option(help="Columns known up to the cutoff, with commas, or: rest.")] = None,
    future: Annotated[str | None, typer.Option(help="Columns known ahead, with commas.")] = None,
    static: Annotated[str | None, typer.Option(help="Columns with one value per entity, with commas.")] = None,
    models: LookedAhead = None,
    h: Annotated[int | None, typer.Option("--h", help=f"Steps to forecast; {H} by default.", min=1)] = None,
    input_size: Annotated[int | None, typer.Option(help="Steps that models look back at.", min=1)] = None,
    write: Annotated[Path | None, typer.Option(help="Write the configuration to this file.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace that file where it is there.")] = False,
    model: Annotated[
        str | None, typer.Option(help="Check this model for leaks: a name, or my_model.py:MyModel.")
    ] = None,
    settings: ModelSettings = None,
    *,
    reading: Reading,
) -> None:
    """Show what is in a table, its problems and how to fix them, and what models will do with every series.

    With --model, whether a model looks at the future. Exit code 1 where there are errors or leaks.
    """
    from foretide.jobs.config import write_yaml
    from foretide.jobs.readiness import look_ahead
    from foretide.jobs.tables import examine_any, section_of

    if write is not None:
        _refuse(write, data, overwrite=overwrite)
    roles = roles_in(id, time, target, None if past == "rest" else past, future, static)
    make = _maker(model, settings or (), h or H)
    report, panel = examine_any(data, roles, reading)
    for line in report.to_text().splitlines():
        line = name_flags(line, ROLES) if line.startswith(tuple(COLOURS)) else line
        echo(line, fg=COLOURS.get(line.partition(":")[0]))
    if panel is None:
        raise typer.Exit(1)
    echo()
    if make is not None:
        _check_model(make, panel)
        return
    named = None if models is None else _known_models(models)
    ahead = look_ahead(panel, named, h=h or H, input_size=input_size)
    _say(ahead.problems)
    who = f"{', '.join(ahead.models)}, {ahead.h} steps"
    if any(p.severity == "error" for p in ahead.problems):
        echo(f"Not ready for {who}.", fg=typer.colors.RED)
        raise typer.Exit(1)
    echo(
        (f"Ready to use ({who})." if ahead.ready else f"Ready for backtests, not yet for a forecast ({who}).")
        + " As the data part of a configuration (foretide run):"
    )
    section = {"data": section_of(_place(data), report, reading)}
    echo(write_yaml(section).rstrip())
    if write is not None:
        _write(write, {**section, "h": h, "input_size": input_size, "models": named})


def _known_models(text: str) -> list[str]:
    """Return the names of forecasters, however they are spelt."""
    from foretide.forecasters.table import EVERY, as_typed

    names = [as_typed(name) for name in names_in(text) or ()]
    unknown = next((name for name in names if name not in EVERY), None)
    if unknown is not None or not names:
        raise ConfigError(f"--models: there is no forecaster {unknown or text!r}. {nearest(unknown or '', EVERY)}")
    return names


def _say(problems: Sequence[Problem]) -> None:
    for problem in problems:
        echo(name_flags(f"{problem.severity}: {problem}", ROLES), fg=COLOURS[problem.severity])
    if problems:
        echo()


# -------------------------------------------------------------------- the configuration
def _place(data: Path) -> str:
    return "SAVE_THE_TABLE_AND_NAME_IT.csv" if str(data) == STDIN else str(data.absolute())


def _refuse(file: Path, data: Path, *, overwrite: bool) -> None:
    """Refuse to write a configuration over a file, or beside a table that cannot be read again."""
    if str(data) == STDIN:
        raise ConfigError("--write: a configuration names its table, and standard input has no name. Save the table.")
    if file.exists() and (not overwrite or not file.is_file() or file.resolve() == data.resolve()):
        raise ConfigError(f"--write: {file} is there already. Name another file, or replace it: --overwrite")


def _write(file: Path, configuration: Json) -> None:
    from foretide.jobs.config import write_yaml

    text = write_yaml({key: value for key, value in configuration.items() if value is not None})
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--write: {file} cannot be written: {error.strerror or error}.") from error
    echo(f"\nwritten: {file}\nrun it: foretide run {file}")


# -------------------------------------------------------------------- a model
def _check_model(make: Callable[[], Model], panel: Panel) -> None:
    """Check a model for leaks on a table that is ready to use."""
    from foretide.cli.common import plain_warnings, progress
    from foretide.evaluation.leaks.check import check_leaks

    with plain_warnings(), progress() as say:
        if say is not None:
            say("checking the model for leaks")
        found = check_leaks(make, panel)
    echo(found.to_text(), fg=None if found.ok else typer.colors.RED)
    if not found.ok:
        raise typer.Exit(1)


def _maker(name: str | None, given: Sequence[str], h: int) -> Callable[[], Model] | None:
    """Return a function that makes the model asked for, after a first try; None where none is asked for."""
    if name is None:
        if given:
            raise ConfigError(f"--set {given[0]} is a setting of a model. Name one: --model SeasonalNaive")
        return None
    settings = _settings(given)
    kind = _from_file(name) if ".py" in name else _known(name)
    if not callable(kind) or (not isinstance(kind, type) and hasattr(kind, "fit")):
        raise ConfigError(f"--model {name} is no class or function. Name a class, or a function that makes one.")
    allowed, open_ended = _parameters(kind)
    if "h" in allowed or open_ended:
        settings.setdefault("h", h)
    for key in settings:
        if key not in allowed and not open_ended:
            raise ConfigError(f"--set {key}: {name} has no such setting. {nearest(key, allowed)}")

    def make() -> Model:
        try:
            return kind(**settings)
        except TypeError as error:
            raise ConfigError(
                f"--model {name} cannot be made with {settings}: {error}. Type --set key=value."
            ) from error

    make()
    make.__name__ = name
    return make


def _known(name: str) -> Callable[..., Model]:
    from foretide.forecasters.table import forecaster_class

    try:
        return forecaster_class(name)
    except ConfigError as error:
        raise ConfigError(f"--model: {error} For a model of your own: --model my_model.py:MyModel") from None


def _settings(given: Sequence[str]) -> Json:
    """``["season=7", "heads=[a, b]"]`` -> settings, values as in a configuration."""
    from foretide.jobs.config import read_yaml

    settings: Json = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key.strip().isidentifier():
            raise ConfigError(f"--set {text}: expected key=value, such as --set season=7")
        if key.strip() in settings:
            raise ConfigError(f"--set {key.strip()} is given twice.")
        try:
            read = read_yaml(value)
        except ConfigError as error:
            raise ConfigError(f"--set {text}: the value is not valid YAML. Put text with signs in quotes.") from error
        settings[key.strip()] = tuple(read) if isinstance(read, list) else read
    return settings


def _parameters(kind: Callable[..., object]) -> tuple[list[str], bool]:
    """Return the names that a class or function takes, and whether it takes any other."""
    import inspect

    found = inspect.signature(kind).parameters.values()
    named = [p.name for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return named, any(p.kind is p.VAR_KEYWORD for p in found)


def _from_file(name: str) -> Callable[..., Model]:
    """``my_model.py:MyModel`` -> what the file calls ``MyModel``; it runs once, and can import what lies beside it."""
    import importlib.util
    import sys

    path, _, attribute = name.rpartition(":") if name.rpartition(":")[0] else (name, "", "")
    file = Path(path)
    if not file.is_file():
        raise ConfigError(f"--model: there is no file {path}. Expected a file and a class, such as my_model.py:MyModel")
    spec = importlib.util.spec_from_file_location(f"_checked_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"--model: {path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    sys.path.insert(0, str(file.resolve().parent))  # as `python my_model.py` does
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f"--model: {path} does not run: {type(error).__name__}: {error}") from error
    own = [k for k, v in vars(module).items() if callable(v) and getattr(v, "__module__", None) == spec.name]
    if not attribute:
        raise ConfigError(f"--model: name the class after a colon: {path}:{own[0] if own else 'MyModel'}")
    if not hasattr(module, attribute):
        raise ConfigError(f"--model: {path} has no {attribute!r}. {nearest(attribute, own)}")
    found: Callable[..., Model] = getattr(module, attribute)
    return found
