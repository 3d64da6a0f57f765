"""``foretide demo``: end to end on synthetic data with a known best possible error."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from foretide.cli.common import Overwrite, finish, intend, work
from foretide.cli.echo import echo
from foretide.cli.flags import Flags, does_a_job, with_options
from foretide.errors import ConfigError

if TYPE_CHECKING:
    from foretide.typing import Json


Recipe: TypeAlias = dict[str, Any]
"""Settings of the plain recipe that were typed."""


class Kind(StrEnum):
    """What the demo is about."""

    HOURLY = "hourly"
    SUPPLIES = "supplies"


def _whole(text: str, *names: str, least: int = 1) -> tuple[object, object]:
    names = names or ()
    return Annotated[int | None, typer.Option(*names, help=text, min=least, metavar="N", rich_help_panel=PANEL)], None


PANEL = "Settings of the plain recipe"
RECIPE: dict[str, tuple[object, object]] = {
    "T": _whole("Steps of the series.", "--T"),
    "n_series": _whole("Number of channels; of supplies, of items.", "--n-series"),
    "input_len": _whole("Steps looked back at.", "--input-len"),
    "horizon": _whole("Steps forecast.", "--horizon"),
    "batch": _whole("Windows in a batch.", "--batch"),
    "epochs": _whole("Passes over the training windows.", "--epochs"),
    "device": (Annotated[str | None, typer.Option(help="cpu, cuda or auto.", rich_help_panel=PANEL)], None),
    "lstm_trials": _whole("Random trials of the LSTM's settings before the run.", "--lstm-trials", least=0),
    "att_trials": _whole("The same of attention; at least 2 are run.", "--att-trials", least=0),
    "optuna_trials": _whole("Trials of attention that Optuna chooses instead.", "--optuna-trials", least=0),
}
"""Flag -> its annotation and default, named as in the plain recipe; in the order of the help."""
NETWORKS = {"hourly": ("Attention", "LSTM"), "supplies": ("LAVAR",)}


def takes_recipe(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flags of :data:`RECIPE`; those typed reach it as ``recipe``, a dictionary.

    Parameters
    ----------
    command : callable

    Returns
    -------
    callable
    """
    return with_options(
        command, "recipe", RECIPE, lambda typed: {name: value for name, value in typed.items() if value is not None}
    )


@takes_recipe
@does_a_job
def demo(
    kind: Annotated[
        Kind, typer.Argument(help="hourly: attention and LSTM; supplies: LAVAR on many sparse daily counts.")
    ] = Kind.HOURLY,
    quick: Annotated[bool, typer.Option("--quick", help="A shorter series and fewer epochs.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", "--output-dir", help="Folder of the run; a free name under runs/ by default."),
    ] = None,
    overwrite: Overwrite = False,
    seed: Annotated[int, typer.Option(help="Seed of the series; of the networks: --set 'seeds=[1]'.")] = 42,
    *,
    flags: Flags,
    recipe: Recipe,
) -> None:
    """Run end to end on synthetic data: networks and all baselines beside the best possible forecast."""
    from foretide.jobs import load_config, run

    config = load_config(recipe_config(kind, recipe, quick=quick, seed=seed), flags.settings)
    if flags.dry_run:
        return intend("run", config, flags, output=out, overwrite=overwrite)
    finish(work(lambda show: run(config, output=out, overwrite=overwrite, progress=show), quiet=flags.quiet), flags)
    if kind is Kind.HOURLY and not has_arima() and not flags.quiet:
        echo("ARIMA was left out; to have it: pip install 'foretide[baselines]'", err=True)


def recipe_config(kind: Kind, recipe: Recipe, *, quick: bool, seed: int) -> Json:
    """Return the configuration of a demo with settings of the plain recipe by their names there.

    Parameters
    ----------
    kind : Kind
    recipe : dict
        Names of :data:`RECIPE` and their values.
    quick : bool
    seed : int

    Returns
    -------
    dict
    """
    from foretide.jobs.config import Config
    from foretide.jobs.settings import Change, changed

    networks = NETWORKS[kind]
    keys = {
        "T": ["data.synthetic.args.T"],
        "n_series": [f"data.synthetic.args.{'n_series' if kind is Kind.HOURLY else 'n_targets'}"],
        "input_len": ["input_size"],
        "horizon": ["h"],
        "batch": [f"{name}.batch_size" for name in networks],
        "epochs": [f"{name}.epochs" for name in networks] + ["LAVAR.head_epochs"] * (kind is Kind.SUPPLIES),
        "device": [f"{name}.device" for name in networks],
    }
    if kind is Kind.SUPPLIES:
        for name in ("device", "lstm_trials", "att_trials", "optuna_trials"):
            if name in recipe:
                flag = f"--{name.replace('_', '-')}"
                raise ConfigError(
                    f"{flag} is for `foretide demo hourly`: the demo on supplies has LAVAR only. Drop it."
                )
    changes = [
        Change(f"{key}={recipe[name]}", key, recipe[name]) for name in keys if name in recipe for key in keys[name]
    ]
    config, _ = changed(CONFIGS[kind](quick=quick, seed=seed), changes, Config.model_fields)
    search = _search(recipe)
    return {**config, "search": search} if search else config


def _search(recipe: Recipe) -> Json | None:
    """Return the search that comes before the run; None where no trials are asked for."""
    guided = recipe.get("optuna_trials", 0)
    attention = guided or (max(recipe["att_trials"], 2) if recipe.get("att_trials") else 0)
    trials = {name: n for name, n in (("LSTM", recipe.get("lstm_trials", 0)), ("Attention", attention)) if n}
    return {"n_trials": trials, "sampler": "tpe" if guided else "random"} if trials else None


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
