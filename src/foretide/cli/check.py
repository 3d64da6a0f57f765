"""``foretide check``: what is in a table, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
    resample: Annotated[str | None, typer.Option(help="Average onto steps of this length first.")] = None,
    tz: Annotated[str | None, typer.Option(help="Time zone of the wall clock, such as Europe/Berlin.")] = None,
    sep: Annotated[str, typer.Option(help="Separator of a CSV file.")] = ",",
) -> None:
    """Show entities, range, frequency, seasons, roles and problems with a way out; 1 when there are errors."""
    from foretide.data.checks import inspect

    options: dict[str, Any] = {"fill_gaps": fill_gaps, "missing": missing, "resample": resample, "tz": tz}
    if freq is not None:
        options["freq"] = int(freq) if freq.isdigit() else freq
    report = inspect(
        data,
        id=id,
        time=time,
        target=_names(target),
        past=None if past == "rest" else _names(past),
        future=_names(future),
        sep=sep,
        **options,
    )
    for line in report.to_text().splitlines():
        typer.secho(line, fg=COLOURS.get(line.partition(":")[0]))
    if not report.ok:
        raise typer.Exit(1)
    typer.echo()
    typer.echo("Ready to use. As the data part of a configuration (foretide run):")
    typer.echo(_as_yaml(data, report, options))


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _as_yaml(data: Path, report: Report, options: dict[str, Any]) -> str:
    """Return the `data` section that reads this table as it was checked."""
    from foretide.pipeline.config import write_yaml

    roles = {role: list(names) for role, names in report.roles.items() if names}
    single = {role: roles[role][0] for role in ("id", "time") if role in roles}
    many = {role: roles[role] for role in ("target", "past", "future") if role in roles}
    extra = {k: v for k, v in options.items() if v not in (None, False, "error")}
    return write_yaml({"data": {"path": str(data.absolute()), **single, **many, **extra}}).rstrip()
