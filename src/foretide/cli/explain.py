"""``foretide explain``: what the models of a run say, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretide.cli.common import OneModel, plain_warnings, progress
from foretide.cli.echo import echo


def explain(
    run: Annotated[Path, typer.Argument(help="A folder made by `foretide run`, `backtest` or `tune`.")],
    model: OneModel = None,
    inputs: Annotated[bool, typer.Option(help="Measure which inputs matter too; forecasts many times.")] = True,
    npy: Annotated[
        bool, typer.Option("--npy", help="Only write the kept attention as .npy: windows, heads, horizon steps, lags.")
    ] = False,
) -> None:
    """Say what attention, latent state and inputs of the run's networks show, and whether to believe it."""
    if npy:
        from foretide.jobs.attention import export_attention

        for path in export_attention(run, model=model).values():
            echo(f"attention: {path}")
        return
    from foretide.jobs.explaining import explain_run

    with plain_warnings(), progress() as show:
        page = explain_run(run, model=model, with_inputs=inputs, progress=show)
    text = page.read_text(encoding="utf-8")
    blocks = [block for block in text.strip().split("\n\n") if not block.startswith(("!", "Figures:"))]
    echo("\n\n".join(blocks))
    echo()
    echo(f"report: {page}")
