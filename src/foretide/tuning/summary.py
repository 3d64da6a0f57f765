"""A search in two or three sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foretide.tuning.result import Study

CAUTION = (
    "The winner was chosen by these very folds, so its figure flatters it; judge it on data the search has not seen: "
    "ft.backtest, or the test part."
)


def study_verdict(study: Study) -> str:
    """Say whether the winner beats the best simple baseline on the inner folds, and that its figure is optimistic."""
    done = [row for row in study.rows if row.value is not None]
    if not done:
        return "No trial was completed."
    best, metric = study.best, study.metric.upper()
    n = len(study.task.plan.folds)
    text = f"{best.model} (trial {best.number}) is best of {len(done)} completed trials: {metric} {best.value:.4g} "
    text += f"on {n} inner {'fold' if n == 1 else 'folds'}."
    if not study.baselines:
        return f"{text} No baseline was scored beside it. {CAUTION}"
    name = min(study.baselines, key=study.baselines.__getitem__)
    least = study.baselines[name]
    gain = 1 - best.value / least if least > 0 else None
    if gain is None:
        text += f" The best simple baseline ({name}) makes no error."
    elif gain > 0:
        text += f" It beats the best simple baseline ({name}, {least:.4g}) by {100 * gain:.1f} %."
    else:
        text += f" It does not beat the best simple baseline ({name}, {least:.4g}): take that one."
    return f"{text} {CAUTION}"
