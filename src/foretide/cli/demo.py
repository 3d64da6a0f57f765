"""``foretide demo``: end to end on synthetic data with a known best possible error."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from foretide.cli.common import Out, Overwrite, finish, work

if TYPE_CHECKING:
    from foretide.typing import Json


class Kind(StrEnum):
    """What the demo is about."""

    HOURLY = "hourly"
    SUPPLIES = "supplies"


def demo(
    kind: Annotated[
        Kind, typer.Argument(help="hourly: attention and LSTM; supplies: LAVAR on many sparse daily counts.")
    ] = Kind.HOURLY,
    quick: Annotated[bool, typer.Option("--quick", help="A shorter series and fewer epochs.")] = False,
    out: Out = None,
    overwrite: Overwrite = False,
    seed: Annotated[int, typer.Option(help="Seed of the series.")] = 42,
) -> None:
    """Run end to end on synthetic data: networks and all baselines beside the best possible forecast."""
    from foretide.jobs import run

    config = CONFIGS[kind](quick=quick, seed=seed)
    finish(work(lambda show: run(config, output=out, overwrite=overwrite, progress=show)))
    if kind is Kind.HOURLY and not has_arima():
        typer.secho("ARIMA was left out; to have it: pip install 'foretide[baselines]'", err=True)


def has_arima() -> bool:
    """Whether the package that ARIMA comes from is there."""
    return find_spec("statsmodels") is not None


def demo_config(*, quick: bool = False, seed: int = 42) -> Json:
    """Return the demo's configuration: three hourly channels, the extra traits off, so that the oracle is exact."""
    plain = {"regime_shifts": 0.0, "heteroskedasticity": 0.0, "coupling": 0.0}
    epochs = {"epochs": 3} if quick else {}
    return {
        "name": "demo",
        "data": {
            "synthetic": {
                "generator": "hourly",
                "args": {"T": 1000 if quick else 2000, "n_series": 3, "seed": seed, **plain},
            }
        },
        "h": 10,
        "input_size": 60 if quick else 168,
        "models": [{"Attention": dict(epochs)}, {"LSTM": dict(epochs)}, *(["ARIMA"] if has_arima() else [])],
    }


def supplies_config(*, quick: bool = False, seed: int = 42) -> Json:
    """Return the configuration of the demo on supplies: daily counts with weekdays and the holidays of Bavaria.

    Every day of the test part is a cutoff, so that each weekday comes up as a first day.
    """
    size = {"T": 500, "n_targets": 16, "n_covariates": 8} if quick else {"T": 1095, "n_targets": 48, "n_covariates": 35}
    lavar = {"order": 7, "latent": 8, **({"epochs": 5, "head_epochs": 5} if quick else {})}
    return {
        "name": "demo-supplies",
        "data": {"synthetic": {"generator": "supplies", "args": {**size, "seed": seed}}},
        "calendar": {"country": "DE", "subdivision": "BY"},
        "h": 14,
        "input_size": 28 if quick else 56,
        "models": [{"LAVAR": lavar}],
    }


CONFIGS: dict[Kind, Callable[..., Json]] = {Kind.HOURLY: demo_config, Kind.SUPPLIES: supplies_config}
