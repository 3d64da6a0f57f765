"""What a backtest leaves behind: the scorecard, tables, pictures and a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.evaluation.cards.align import ORACLE
from foretide.evaluation.compare.pairs import rank_over_series
from foretide.evaluation.compare.tests import holm
from foretide.evaluation.metrics.quantiles import LEAST_DENSE
from foretide.jobs.data_outputs import write_audit, write_before, write_card
from foretide.jobs.pictures import write_picture
from foretide.report.backtest_figures import calibration_figure, error_by_step_figure, fold_figure, skill_figure
from foretide.report.backtest_summary import BacktestFacts, write_backtest_summary
from foretide.report.words import error_words
from foretide.text import time_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.jobs.config import Config
    from foretide.jobs.folder import RunFolder
    from foretide.jobs.log import Log

CALIBRATED = 4
"""Distributions drawn in one picture of calibration: the best models, then the best baseline."""


def write_backtest(card: Scorecard, config: Config, folder: RunFolder, log: Log) -> None:
    """Write everything there is to keep of a backtest."""
    assert card.plan is not None
    write_card(card, folder)
    write_before(card.panel, card.windows, card.plan.h, folder)
    write_audit(card.panel, card.plan.season, folder)
    board, folds = card.pandas(card.leaderboard()), card.frame_of(card.main, "cutoff")
    comparisons, ranks = comparison_table(card), rank_table(card)
    tables = {
        "metrics.csv": board, "folds.csv": folds, "fold_summary.csv": card.fold_summary(),
        "metrics_by_step.csv": card.frame_of(card.main, "h_step"),
        "metrics_by_series.csv": card.frame_of(card.main, "series"),
        "skill_by_series.csv": card.series_skill, "comparisons.csv": comparisons, "ranks.csv": ranks,
        "calibration.csv": reliability_table(card),
    }  # fmt: skip
    if card.counts and card.distributions.quantiles:
        tables["stock.csv"] = card.stock()
    for name, table in tables.items():
        if table is not None and len(table):
            folder.write(name, lambda path, table=table: table.to_csv(path, index=False, float_format="%.10g"))  # type: ignore[misc]
    pictures = _write_pictures(card, folder)
    facts = _facts(card, config, log)
    folder.write_json("run.json", facts)
    told = BacktestFacts(config.name, facts, board, card.pandas(card.fold_summary()), comparisons, ranks, pictures)
    folder.write_text("summary.md", write_backtest_summary(told))


def comparison_table(card: Scorecard) -> pd.DataFrame:
    """Return every model beside the best baseline: difference, interval, test, corrected for the number of models."""
    rows = []
    for name, pair in card.pairs.items():
        (low, high), (start, end) = pair.interval or (np.nan, np.nan), pair.bootstrap or (np.nan, np.nan)
        rows.append({
            "model": name, "baseline": pair.b, "loss": pair.metric, "n_cutoffs": pair.n_cutoffs,
            "difference": pair.difference, "relative": pair.relative, "low_95": low, "high_95": high,
            "bootstrap_low_95": start, "bootstrap_high_95": end,
            "statistic": np.nan if pair.test is None else pair.test.statistic, "p_value": pair.p_value,
        })  # fmt: skip
    table = pd.DataFrame(rows)
    if len(table):
        table["p_holm"] = holm(table["p_value"].to_list())
    return table


def rank_table(card: Scorecard) -> pd.DataFrame | None:
    """Return the ranking over series with its critical difference; None where there are too few of either."""
    scored = int((~np.isnan(card.series_skill["baseline_error"])).sum()) if card.baselines else 0
    if len(card.models) < 2 or scored < 2:
        return None
    ranking = rank_over_series(card)
    return ranking.to_frame().assign(
        critical_difference=ranking.critical_difference, friedman_p=ranking.friedman_p, n_series=ranking.n
    )


def reliability_table(card: Scorecard) -> pd.DataFrame | None:
    """Return the reliability of every distribution's quantiles, one under the other."""
    parts = [card.pandas(card.reliability(model)).assign(model=model) for model in card.distributions.quantiles]
    return pd.concat(parts, ignore_index=True)[["model", "level", "below", "at_or_below", "n"]] if parts else None


def _write_pictures(card: Scorecard, folder: RunFolder) -> dict[str, str]:
    """Write the pictures; return file name -> what it shows."""
    ranked = [name for name in card.leaderboard()["model"] if name != ORACLE]
    asked = [name for name in ranked if name not in card.baselines]
    best = card.best_baseline
    shown = [*asked[:3], *([best] if best else [])] or ranked[:2]
    freq, metric = card.panel.grid.freq, card.main
    unit = "squared counts" if card.counts else "original units"
    made: dict[str, tuple[Figure, str]] = {}
    steps = card.frame_of(metric, "h_step")
    floor = steps[ORACLE].to_numpy(float) if ORACLE in steps else None
    errors = {name: steps[name].to_numpy(float) for name in ranked}
    picture = error_by_step_figure(
        errors, freq=freq, metric=metric.upper(), unit=unit, highlighted=shown, floor=floor
    )  # fmt: skip
    made["error_by_step.png"] = (picture, error_words(shown[0], errors[shown[0]], freq, metric.upper()))
    folds = card.frame_of(metric, "cutoff")
    times = card.panel.grid.local_times([fold.cutoff for fold in _scored_folds(card, folds)])
    picture = fold_figure(
        times, {name: folds[name].to_numpy(float) for name in ranked}, best_model=(asked or ranked)[0],
        baseline=best, metric=metric.upper(), freq=freq, unit=unit,
    )  # fmt: skip
    made["folds.png"] = (picture, _fold_words(card, (asked or ranked)[0]))
    skill = card.series_skill
    if len(skill) > 1:
        lines = {name: skill[name].to_numpy(float) for name in (asked or [n for n in ranked if n != best])[:6]}
        picture = skill_figure(lines, metric=metric.upper())
        made["skill_by_series.png"] = (picture, "each model's skill on each series against that series' best baseline.")
    distributions = [name for name in [*asked, best] if name in card.distributions.quantiles][:CALIBRATED]
    if distributions:
        made["calibration.png"] = (
            _calibration(card, distributions),
            f"calibration of {', '.join(str(n) for n in distributions)}.",
        )
    for name, (figure, _) in made.items():
        write_picture(folder, name, figure)
    return {name: text for name, (_, text) in made.items()}


def _scored_folds(card: Scorecard, folds: pd.DataFrame) -> list[Any]:
    """Return the folds that have scores, in the order of the table's rows."""
    scored = set(np.unique(card.windows.steps(card.panel)).tolist())
    assert card.plan is not None
    kept = [fold for fold in card.plan.folds if fold.cutoff in scored]
    assert len(kept) == len(folds)
    return kept


def _calibration(card: Scorecard, distributions: list[Any]) -> Figure:
    level = 80 if 80 in card.distributions.levels or not card.distributions.levels else card.distributions.levels[0]
    by_step = card.frame_of(f"coverage_{level:g}", "h_step")
    pits = {}
    for name in distributions:
        if card.counts and len(card.distributions.quantiles[name].levels) < LEAST_DENSE:
            continue  # A coarse grid shows a right distribution of counts as uneven.
        pit = card.pit_histogram(name)
        pits[name] = (pit.edges, pit.observed, pit.nominal)
    return calibration_figure(
        {name: card.pandas(card.reliability(name)) for name in distributions}, pits,
        {name: by_step[name].to_numpy(float) for name in distributions}, level=level, freq=card.panel.grid.freq,
    )  # fmt: skip


def _fold_words(card: Scorecard, model: str) -> str:
    """Say how far a model's error moves between folds."""
    line = card.pandas(card.fold_summary()).set_index("model").loc[model]
    metric = card.main.upper()
    if line["n_folds"] < 2:
        return f"{metric} of the one fold."
    worst = f"worst {line['worst']:.4g} after {time_text(line['worst_cutoff'])}"
    return f"{model}'s {metric} by fold: mean {line['mean']:.4g}, {worst}, 95th percentile {line['p95']:.4g}."


def _facts(card: Scorecard, config: Config, log: Log) -> dict[str, Any]:
    panel, plan = card.panel, card.plan
    assert plan is not None
    return {
        "kind": "backtest",
        "verdict": card.verdict(),
        "counts": card.counts,
        "h": plan.h,
        "data": {
            "entities": panel.n_entities, "rows": int(panel.length.sum()), "freq": panel.grid.freq, "tz": panel.grid.tz,
            "targets": panel.targets, "past": panel.past, "future": panel.future, "panel": repr(panel),
        },
        "folds": {
            "n": len(plan.folds), "first_cutoff": time_text(plan.folds[0].time),
            "last_cutoff": time_text(plan.folds[-1].time),
            "step": plan.step, "gap": plan.gap, "train_size": plan.train_size, "val_size": plan.val_size,
            "fits": len(plan.blocks), "season": plan.season,
        },
        "windows": len(card.windows),
        "series": len(np.unique(card.series_groups)),
        "notes": list(card.notes),
        "models": {
            run.name: {
                "class": run.kind, "baseline": run.baseline, "asked": run.asked, "settings": run.settings,
                "seed": run.seed, "fits": run.n_fits, "fit_seconds": round(run.fit_seconds, 3),
                "predict_seconds": round(run.predict_seconds, 3), "peak_mib": round(run.peak_mib, 1),
            }
            for run in card.runs
        },
        "seeds": list(config.seeds),
        "seconds": round(log.seconds, 2),
        "about": card.about,
    }  # fmt: skip
