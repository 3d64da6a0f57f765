"""Sentences about a latent state, made from its figures; every threshold stands here and in the sentence it decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foretide.explain.latent.modes import mode_table
from foretide.text import joined, phrase
from foretide.typing import Ints

if TYPE_CHECKING:
    import pandas as pd

    from foretide.explain.latent.summary import DynamicsSummary

NAMED = 3
"""So many items are named of a list."""
SLOW = 1.0
"""Half-life in steps above which the state has a memory worth a word."""
MOVED = 0.05
"""Share of the mean forecast that shocks must move for a target to follow the latent state."""
TOGETHER = 0.5
"""Correlation from which a covariate goes with a latent."""
ALPHA = 0.05


def latent_sentences(
    summary: DynamicsSummary, effects: pd.DataFrame, errors: pd.DataFrame, basis: str
) -> list[str]:  # fmt: skip
    """Stability, memory, cycles, errors, targets, covariates; then what to be careful with."""
    sentences = [
        _stability(summary), _cycles(summary), _errors(summary, errors), _targets(summary, effects),
        _covariates(summary),
    ]  # fmt: skip
    if summary.in_sample:
        sentences.append(
            f"{summary.model} learned from rows after the first of these cutoffs, so the errors are smaller than those "
            "of a forecast. Fit with until=... and give a panel that goes on."
        )
    if summary.kind == "gru":
        sentences.append("The dynamics are a GRU, here linearised at the mean state: far from it they may differ.")
    return [*sentences, basis]


def _stability(summary: DynamicsSummary) -> str:
    radius = summary.spectral_radius
    if radius >= 1:
        return (
            f"The latent state is NOT stable: its largest eigenvalue has a modulus of {radius:.3f}, at least 1, so "
            "that long rollouts can grow without bound. Type LAVAR(..., stable=True), or keep the horizon short."
        )
    half = float(np.log(0.5) / np.log(radius)) if radius > 0 else 0.0
    if half <= SLOW:
        return (
            f"The latent state is stable and forgets a shock at once: it halves in {half:.2g} steps, at most {SLOW:g}."
        )
    return (
        f"The latent state is stable (largest modulus {radius:.3f}, below 1): its slowest part halves in {half:.3g} "
        "steps."
    )


def _cycles(summary: DynamicsSummary) -> str:
    table = mode_table(summary.eigenvalues)
    # A wave that halves within a period hardly comes back as a wave.
    waves = table[np.isfinite(table["period"]) & (table["imag"] > 0) & (table["half_life"] >= table["period"])]
    if waves.empty:
        return "No clear pattern of cycles: every wave of the state halves before one period is over."
    shown = [f"{row.period:.3g} steps (halves in {row.half_life:.3g})" for row in waves.head(NAMED).itertuples()]
    return f"Cycles that last at least one period before they halve: {joined(shown)}."


def _errors(summary: DynamicsSummary, errors: pd.DataFrame) -> str:
    p = errors["p_holm"].to_numpy(np.float64)
    if np.isnan(p).all():
        most = int(errors["n"].max()) if len(errors) else 0
        return f"{most} cutoffs are too few to tell whether the rolled-out state beats the last one kept."
    better = np.where(p < ALPHA, np.sign(errors["difference"].to_numpy(np.float64)), 0.0)
    skill = errors["skill"].to_numpy(np.float64)
    said = []
    for sign, verb in ((-1.0, "lower"), (1.0, "higher")):
        steps = np.flatnonzero(better == sign)
        if len(steps):
            gap = np.abs(skill[steps])
            size = f"{gap.min():.0%}" if np.isclose(gap.min(), gap.max()) else f"{gap.min():.0%} to {gap.max():.0%}"
            where = _ranges(steps + 1)
            word = "steps" if len(steps) > 1 else "step"
            said.append(f"{size} {verb} than that of the last state kept at {word} {where}")
    if not said:
        return (
            f"No clear pattern against persistence: at none of {len(errors)} steps is the error of the rolled-out "
            f"state different by more than chance (p below {ALPHA:g}, corrected for the number of steps)."
        )
    return (
        f"The squared error of the rolled-out state is {' and '.join(said)} (more than chance: p below {ALPHA:g}, "
        f"corrected for {len(errors)} steps)."
    )


def _targets(summary: DynamicsSummary, effects: pd.DataFrame) -> str:
    moved = effects[effects["relative"] >= MOVED]
    if moved.empty:
        most = float(effects["relative"].max()) if len(effects) else 0.0
        if most == 0:
            return (
                f"The latent state has no part in the forecasts of {summary.model}: no effect or head on it was kept "
                "(model.gates() says why), and the forecast is the base. The other sentences are about the state alone."
            )
        return (
            f"No clear pattern in the targets: shocks of one standard deviation move no forecast by {MOVED:.0%} of its "
            f"mean (at most {most:.1%})."
        )
    first = moved.head(NAMED)
    shown = [
        f"{target} ({share:.0%} at step {step + 1} ahead)"
        for target, share, step in zip(first["target"], first["relative"], first["step"], strict=True)
    ]
    return (
        f"{len(moved)} of {len(effects)} targets follow the latent state (one standard deviation of its shocks moves "
        f"them by {MOVED:.0%} of their mean or more), most of all {joined(shown)}."
    )


def _covariates(summary: DynamicsSummary) -> str:
    size = np.nan_to_num(np.abs(summary.correlation))
    said = []
    for k, latent in enumerate(summary.latents):
        top = [int(c) for c in np.argsort(-size[:, k], kind="stable")[:NAMED] if size[c, k] >= TOGETHER]
        if top:
            shown = [f"{summary.columns[c]} ({summary.correlation[c, k]:+.2f})" for c in top]
            said.append(f"{latent} with {joined(shown)}")
    if not said:
        return (
            f"No clear pattern in the covariates: none has a correlation of {TOGETHER:g} with a latent "
            f"(at most {size.max(initial=0.0):.2f})."
        )
    silent = len(summary.latents) - len(said)
    rest = f"; {phrase('latent', silent)} with none" if silent else ""
    return f"Latents that go with covariates (correlation of {TOGETHER:g} or more): {'; '.join(said)}{rest}."


def _ranges(steps: Ints) -> str:
    """Ascending numbers as ranges: ``1 to 3, 7``."""
    runs = np.split(steps, np.flatnonzero(np.diff(steps) != 1) + 1)
    return ", ".join(f"{r[0]} to {r[-1]}" if len(r) > 1 else str(r[0]) for r in runs)
