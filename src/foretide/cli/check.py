"""``foretide check``: what is in a table and what is wrong with it; whether a model looks at the future of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foretide.errors import ConfigError, nearest

if TYPE_CHECKING:
    from foretide.data.checks import Report

COLOURS = {"error": typer.colors.RED, "warning": typer.colors.YELLOW, "note": typer.colors.BLUE}


def check(
    data: Annotated[Path, typer.Argument(help="A CSV or Parquet file.")],
    id: Annotated[str | None, typer.Option(help="Column that names the entity; guessed otherwise.")] = None,
    time: Annotated[str | None, typer.Option(help="Column of the times; guessed otherwise.")] = None,
    target: Annotated[str | None, typer.Option(help="Target columns, with commas; guessed otherwise.")] = None,
    past: Annotated[str | None, typer.Option(help="Columns known up to the cutoff, with commas, or: rest.")] = None,
    future: Annotated[str | None, typer.Option(help="Columns known ahead, with commas.")] = None,
    freq: Annotated[str | None, typer.Option(help="Frequency such as h, 30min, D, MS; found otherwise.")] = None,
    fill_gaps: Annotated[bool, typer.Option("--fill-gaps", help="Missing steps become missing values.")] = False,
    missing: Annotated[str, typer.Option(help="What to do with missing values: error, mask or ffill.")] = "error",
    resample: Annotated[str | None, typer.Option(help="Bring rows together into steps of this length first.")] = None,
    aggregate: Annotated[
        str | None, typer.Option(help="How: mean, sum, last, max, min, or by column: y=sum,price=mean.")
    ] = None,
    tz: Annotated[str | None, typer.Option(help="Time zone of the wall clock, such as Europe/Berlin.")] = None,
    time_format: Annotated[
        str | None, typer.Option(help="Form of the times, such as %d.%m.%Y or epoch_s; found otherwise.")
    ] = None,
    sep: Annotated[str, typer.Option(help="Separator of a CSV file.")] = ",",
    model: Annotated[
        str | None, typer.Option(help="Check this model for leaks: a name, or my_model.py:MyModel.")
    ] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Setting of the model, key=value.")] = None,
    h: Annotated[int, typer.Option("--h", help="Steps that the model forecasts.", min=1)] = 14,
) -> None:
    """Show what is in a table, its problems and a way out; with --model, whether a model looks at the future.

    Exit code 1 where there are errors or leaks.
    """
    from foretide.data.checks import inspect

    options: dict[str, Any] = {
        "fill_gaps": fill_gaps, "missing": missing, "resample": resample, "aggregate": aggregate, "tz": tz,
        "time_format": time_format,
    }  # fmt: skip
    if freq is not None:
        options["freq"] = int(freq) if freq.isdigit() else freq
    roles: dict[str, Any] = {"target": _names(target), "future": _names(future)}
    roles["past"] = None if past == "rest" else _names(past)
    make = _maker(model, settings or (), h)
    report = inspect(data, id=id, time=time, sep=sep, **roles, **options)
    for line in report.to_text().splitlines():
        typer.secho(line, fg=COLOURS.get(line.partition(":")[0]))
    if not report.ok:
        raise typer.Exit(1)
    typer.echo()
    if make is not None:
        _check_model(make, data, report, {"sep": sep, **options})
        return
    typer.echo("Ready to use. As the data part of a configuration (foretide run):")
    typer.echo(_as_yaml(data, report, options))


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _columns(report: Report) -> dict[str, Any]:
    """Return the roles as a reader of tables takes them."""
    single = {role: report.roles[role][0] for role in ("id", "time") if report.roles.get(role)}
    many = {role: list(report.roles[role]) for role in ("target", "past", "future") if report.roles.get(role)}
    return {**single, **many}


def _as_yaml(data: Path, report: Report, options: dict[str, Any]) -> str:
    """Return the `data` section that reads this table as it was checked."""
    from foretide.pipeline.config import write_yaml

    extra = {k: v for k, v in options.items() if v not in (None, False, "error")}
    return write_yaml({"data": {"path": str(data.absolute()), **_columns(report), **extra}}).rstrip()


# -------------------------------------------------------------------- a model
def _check_model(make: Callable[[], Any], data: Path, report: Report, options: dict[str, Any]) -> None:
    """Check a model for leaks on a table that is ready to use."""
    from foretide.cli.common import plain_warnings, progress
    from foretide.data.panel import Panel
    from foretide.evaluation.leaks import check_leaks

    with plain_warnings(), progress() as say:
        panel = Panel.read(data, **_columns(report), **options)
        if say is not None:
            say("checking the model for leaks")
        found = check_leaks(make, panel)
    typer.secho(found.to_text(), fg=None if found.ok else typer.colors.RED)
    if not found.ok:
        raise typer.Exit(1)


def _maker(name: str | None, given: Sequence[str], h: int) -> Callable[[], Any] | None:
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

    def make() -> Any:
        try:
            return kind(**settings)
        except TypeError as error:
            raise ConfigError(
                f"--model {name} cannot be made with {settings}: {error}. Type --set key=value."
            ) from error

    make()
    make.__name__ = name
    return make


def _known(name: str) -> Any:
    from foretide.forecasters.artifact import forecaster_class

    try:
        return forecaster_class(name)
    except ConfigError as error:
        raise ConfigError(f"--model: {error} For a model of your own: --model my_model.py:MyModel") from None


def _settings(given: Sequence[str]) -> dict[str, Any]:
    """``["season=7", "heads=[a, b]"]`` -> settings, values as in a configuration."""
    from foretide.pipeline.config import read_yaml

    settings: dict[str, Any] = {}
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


def _parameters(kind: Any) -> tuple[list[str], bool]:
    """Return the names that a class or function takes, and whether it takes any other."""
    import inspect

    found = inspect.signature(kind).parameters.values()
    named = [p.name for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return named, any(p.kind is p.VAR_KEYWORD for p in found)


def _from_file(name: str) -> Any:
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
    return getattr(module, attribute)
