"""``foretide generate``: synthetic series as CSV or Parquet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from foretide.cli.echo import echo

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
app = typer.Typer(no_args_is_help=True, help="Write a synthetic series whose truth is known.")

OutFile = Annotated[Path, typer.Option("--out", "-o", help="A .csv or .parquet file.")]
Steps = Annotated[int, typer.Option("--steps", "-T", help="Number of hourly steps.")]
Seed = Annotated[int, typer.Option(help="Equal seeds give equal series.")]


@app.command()
def hourly(
    out: OutFile,
    steps: Steps = 2000,
    n_series: Annotated[int, typer.Option(help="Number of channels x1, x2, ….")] = 3,
    seed: Seed = 42,
    regime_shifts: Annotated[float, typer.Option(help="Strength of level shifts; 0 is off.")] = 1.0,
    heteroskedasticity: Annotated[float, typer.Option(help="How much wider noise is after events; 0 is off.")] = 1.0,
    coupling: Annotated[float, typer.Option(help="How much a channel drives its neighbour; 0 is off.")] = 1.0,
) -> None:
    """Hourly channels with trend, daily and weekly seasons, noise and events."""
    from foretide.data import synthetic

    made = synthetic.hourly(
        T=steps,
        n_series=n_series,
        seed=seed,
        regime_shifts=regime_shifts,
        heteroskedasticity=heteroskedasticity,
        coupling=coupling,
    )
    _write(made.to_frame(), out, f"--time ds --target {made.panel.targets[0]} --past rest")


@app.command("planted-lags")
def planted_lags(
    out: OutFile,
    steps: Steps = 2000,
    lags: Annotated[str, typer.Option(help="Lags that drive the target, with commas.")] = "24,48",
    weights: Annotated[str, typer.Option(help="Their weights, with commas.")] = "0.6,0.3",
    noise: Annotated[float, typer.Option(help="Standard deviation of the noise.")] = 1.0,
    seed: Seed = 0,
) -> None:
    """A series driven by chosen lags: an analysis of lags has a right answer."""
    from foretide.data import synthetic

    made = synthetic.planted_lags(
        T=steps, lags=_numbers(lags, int), weights=_numbers(weights, float), noise=noise, seed=seed
    )
    _write(made.to_frame(), out, "--time ds --target y --past rest")


@app.command("planted-lookup")
def planted_lookup(
    out: OutFile,
    steps: Steps = 4000,
    marker: Annotated[float, typer.Option(help="Probability of a marker, per step.")] = 0.08,
    recall: Annotated[float, typer.Option(help="Probability that a step repeats the marked value; 1: all do.")] = 0.3,
    weight: Annotated[float, typer.Option(help="What of the marked value comes back.")] = 0.9,
    spike: Annotated[float, typer.Option(help="Markers are spikes of this height, not a column; 0 is off.")] = 0.0,
    seed: Seed = 0,
) -> None:
    """Noise in which some steps repeat a marked value, wherever it stands: no map of the lags can look there."""
    from foretide.data import synthetic

    made = synthetic.planted_lookup(T=steps, marker=marker, recall=recall, weight=weight, seed=seed, spike=spike)
    roles = [f"--future {','.join(made.panel.future)}"] if made.panel.future else []
    _write(made.to_frame(), out, " ".join(["--time ds --target y", *roles, "--past rest"]))


@app.command()
def supplies(
    out: OutFile,
    days: Annotated[int, typer.Option("--days", "-T", help="Number of days.")] = 1095,
    n_targets: Annotated[int, typer.Option(help="Number of counted columns item01, item02, ….")] = 48,
    n_covariates: Annotated[int, typer.Option(help="Number of covariates cov01, cov02, ….")] = 35,
    seed: Seed = 0,
    n_sites: Annotated[int, typer.Option(help="Number of sites; above one, a column names the site.")] = 1,
    substitutions: Annotated[float, typer.Option(help="Expected replacements of items per year; 0 is off.")] = 0.0,
) -> None:
    """Daily counts of many supplies, most of them sparse, with closed Sundays and holidays."""
    from foretide.data import synthetic

    made = synthetic.supplies(
        T=days, n_targets=n_targets, n_covariates=n_covariates, seed=seed, n_sites=n_sites, substitutions=substitutions
    )
    panel = made.panel
    entity = "--id unique_id " if n_sites > 1 else ""
    roles = f"--time ds --target {','.join(panel.targets)} --future {','.join(panel.future)} --past rest"
    _write(made.to_frame(), out, entity + roles)


def _numbers(text: str, kind: Callable[[str], T]) -> tuple[T, ...]:
    try:
        return tuple(kind(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise typer.BadParameter(f"expected numbers with commas, such as 24,48; got {text!r}") from None


def _write(frame: pd.DataFrame, out: Path, roles: str) -> None:
    """Write under a temporary name, then move: an interrupted command leaves no half a file."""
    write_table(frame, out)
    echo(f"{out}: {len(frame)} rows of {', '.join(map(str, frame.columns))}")
    echo(f"look at it: foretide check {out} {roles}")


def write_table(frame: pd.DataFrame, out: Path) -> None:
    """Write a CSV or Parquet file, whole or not at all."""
    from foretide.data.exports import write_csv
    from foretide.data.files import write_whole

    if out.suffix not in (".csv", ".parquet"):
        raise typer.BadParameter(f"--out: expected a name that ends in .csv or .parquet, got {out.name!r}")
    if out.suffix == ".csv":
        write_csv(frame, out)
    else:
        write_whole(out, lambda part: frame.to_parquet(part, index=False))
