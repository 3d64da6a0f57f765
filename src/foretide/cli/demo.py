"""``foretide demo``: the whole way on synthetic data with a known best possible error."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from foretide.cli.common import Out, Overwrite, interruptible, progress, report


def demo(
    quick: Annotated[bool, typer.Option("--quick", help="A shorter series and fewer epochs.")] = False,
    out: Out = None,
    overwrite: Overwrite = False,
    seed: Annotated[int, typer.Option(help="Seed of the series.")] = 42,
) -> None:
    """Run the whole way on hourly synthetic data: attention, LSTM, ARIMA and all baselines beside the oracle."""
    from foretide.pipeline import run

    with interruptible(), progress() as show:
        folder = run(demo_config(quick=quick, seed=seed), output=out, overwrite=overwrite, progress=show)
    report(folder)


def demo_config(*, quick: bool = False, seed: int = 42) -> dict[str, Any]:
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
        "models": [{"Attention": dict(epochs)}, {"LSTM": dict(epochs)}, "ARIMA"],
    }
