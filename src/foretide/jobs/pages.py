"""Pictures and summaries of finished work, from what was just computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data.counts import buckets
from foretide.data.files import file_name
from foretide.evaluation.cards.account import with_members
from foretide.evaluation.cards.align import ORACLE
from foretide.evaluation.metrics.quantiles import LEAST_DENSE
from foretide.forecasters.forecast import Forecast
from foretide.jobs import store
from foretide.jobs.outputs import comparison_table, facts_of, rank_table
from foretide.jobs.pictures import write_picture
from foretide.report.backtest_figures import calibration_figure, error_by_step_figure, fold_figure, skill_figure
from foretide.report.backtest_summary import BacktestFacts, write_backtest_summary
from foretide.report.figures import attention_figure, forecast_figure, stretch
from foretide.report.intervals import bands, interval_figure, interval_words, typical_series
from foretide.report.search_figures import history_figure, importance_figure, parallel_figure, slice_figure
from foretide.report.search_summary import SearchFacts, write_search_summary
from foretide.report.summary import BY_BUCKET, Facts, markdown, write_summary
from foretide.report.words import attention_words, error_words, start_words
from foretide.text import time_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.evaluation.rolling.folds import Fold
    from foretide.jobs.config import Config
    from foretide.jobs.folder import RunFolder
    from foretide.jobs.job import Job
    from foretide.tuning.result import Study

SHOWN_LEVEL = 80.0
MOST_ROWS = 60
CALIBRATED = 4
"""Distributions drawn in one picture of calibration: the best models, then the best baseline."""


def write_pages(job: Job, card: Scorecard, attention: Mapping[str, Forecast], study: Study | None) -> None:
    """Write pictures and the summary of a run or a backtest."""
    facts, folder, config = facts_of(job, card), job.folder, job.config
    board = card.pandas(card.leaderboard())
    if card.plan is not None and card.plan.split is None:
        pictures = _write_backtest_pictures(card, folder)
        ranks = rank_table(card)
        said = BacktestFacts(
            config.name, facts, board, card.pandas(card.fold_summary()), comparison_table(card),
            ranks if len(ranks) else None, pictures,
        )  # fmt: skip
        folder.keep(store.SUMMARY, write_backtest_summary(said))
        return
    pictures = _write_pictures(card, attention, folder)
    if card.counts:
        pictures.update(_write_interval_picture(card, folder))
    sections = _model_sections(card)
    if study is not None:
        sections["Search"] = _search_section(study)
    density = _by_bucket(card) if card.counts else None
    facts |= {"test_windows": facts["windows"], "versions": facts["about"]["versions"]}
    summary = Facts(config.name, facts["verdict"], str(card.panel), facts, board, pictures, density, sections)
    folder.keep(store.SUMMARY, write_summary(summary))


def forecast_of(card: Scorecard, name: str) -> Forecast:
    """Return what a model forecast."""
    held = card.distributions.quantiles.get(name)
    if held is None:
        return Forecast(name, card.panel, card.windows, card.forecasts[name])
    levels = tuple(level for level in card.distributions.levels if held.holds((0.5 - level / 200, 0.5 + level / 200)))
    return Forecast(name, card.panel, card.windows, card.forecasts[name], levels, tuple(held.levels), held.values)


def _write_pictures(card: Scorecard, attention: Mapping[str, Forecast], folder: RunFolder) -> dict[str, str]:
    """Write the pictures of a run; return file name -> what it shows."""
    ranked = [str(name) for name in card.pandas(card.leaderboard())["model"] if name != ORACLE]
    asked = [name for name in ranked if name not in card.baselines][:2]
    best_baseline = [name for name in ranked if name in card.baselines][:1]
    shown = [forecast_of(card, name) for name in (asked + best_baseline) or ranked[:2]]
    freq, metric = card.panel.grid.freq, card.main
    steps = card.frame_of(metric, "h_step")
    errors = {name: steps[name].to_numpy(float) for name in ranked}
    floor = steps[ORACLE].to_numpy(float) if ORACLE in steps else None
    entity, target = next(iter(shown_series(card).values())) if card.counts else (0, 0)
    figure = forecast_figure(
        stretch(shown, entity=entity, target=target), errors, freq=freq, metric=metric.upper(), floor=floor,
        unit="squared counts" if card.counts else "original units",
    )  # fmt: skip
    write_picture(folder, "forecast.png", figure)
    names = ", ".join(f.model for f in shown)
    growth = error_words(shown[0].model, errors[shown[0].model], freq, metric.upper())
    pictures = {"forecast.png": f"{names} against truth; below, the error by horizon step. {growth}"}
    for name, forecast in attention.items():
        file = f"attention-{file_name(name)}.png"
        weights = forecast.extras["attention"]
        heat = attention_figure(weights, model=name, freq=freq, windows="spread over the test part")
        write_picture(folder, file, heat)
        about = [f"where {name} looks, horizon step by lag.", attention_words(weights, freq)]
        run = card.run_of(name)
        start: Any = run.account.get("start") if run is not None else None
        pictures[file] = " ".join([*about, start_words(start[0])] if start else about)
    return pictures


def shown_series(card: Scorecard) -> dict[str, tuple[int, int]]:
    """Return for each density the (entity, target) that pictures show."""
    sold = np.zeros(card.rates.shape)
    np.add.at(sold, card.windows.entity, np.nansum(card.truth, axis=1))
    entities = np.unique(card.windows.entity).tolist()
    return typical_series(card.rates, buckets(card.rates), entities, sold)


def _by_bucket(card: Scorecard) -> pd.DataFrame:
    """Return the figures that the summary shows by density: ``model, bucket`` and one column per metric."""
    parts = []
    for metric in (name for name in BY_BUCKET if name in card.metrics):
        long = (
            card.pandas(card.by_bucket(metric))
            .drop(columns="n_series")
            .melt(id_vars="bucket", var_name="model", value_name=metric)
        )
        parts.append(long.set_index(["model", "bucket"]))
    whole: pd.DataFrame = pd.concat(parts, axis=1).reset_index()
    return whole


def _write_interval_picture(card: Scorecard, folder: RunFolder) -> dict[str, str]:
    """Draw the best model with a distribution on one series of each density; return file name -> what it shows."""
    known = [name for name in card.models if name in card.distributions.quantiles and card.has("wql", name)]
    forecasts = {name: forecast for name in known if (forecast := forecast_of(card, name)).levels}
    if not forecasts:
        return {}
    name = min(forecasts, key=lambda model: (model in card.baselines, card.value(model, card.main)))
    forecast = forecasts[name]
    pieces = [bands(forecast, kind=kind, entity=i, target=d) for kind, (i, d) in shown_series(card).items()]
    figure = interval_figure(pieces, model=name, freq=card.panel.grid.freq)
    write_picture(folder, "intervals.png", figure)
    level = SHOWN_LEVEL if SHOWN_LEVEL in forecast.levels else forecast.levels[0]
    table = card.pandas(card.coverage(level, by="bucket"))
    whole = dict(zip(table["bucket"], table[name], strict=True)) if name in table else {}
    about = f"intervals of {name} for a series of each density. {interval_words(pieces, level, whole)}"
    return {"intervals.png": about}


def _model_sections(card: Scorecard) -> dict[str, str]:
    """Return which target a model gave to which head, and what it intervened in, as sections of the summary."""
    sections, counted = {}, []
    for name, account in with_members({run.name: run.account for run in card.runs}).items():
        if "buckets" in account:
            sections[f"Buckets of {name}"] = _shown(
                pd.DataFrame(account["buckets"]), store.BUCKETS.places(model=name)[0]
            )
        if "interventions" in account:
            counted.append(f"- **{name}**: {_counts(account['interventions'])}")
    if counted:
        intro = "Values of forecasts changed after the model, by reason."
        sections["Interventions"] = "\n".join([intro, "", *counted])
    return sections


def _search_section(study: Study) -> str:
    counted = ", ".join(f"{n} of {model}" for model, n in study.trials["model"].value_counts(sort=False).items())
    return (
        f"Before the models were fitted their settings were searched on the steps before the test part: {counted}. "
        f"{study.verdict()} `tuned.yaml` holds the settings found, `search/summary.md` every trial."
    )


def _shown(table: pd.DataFrame, file: str) -> str:
    rows = [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in line] for line in table.itertuples(index=False)]
    text = markdown([str(c) for c in table.columns], rows[:MOST_ROWS])
    return text + (f"\n\nThe first {MOST_ROWS} of {len(rows)}; all in `{file}`." if len(rows) > MOST_ROWS else "")


def _counts(found: Mapping[str, object]) -> str:
    return ", ".join(f"{what.replace('_', ' ')} {value}" for what, value in found.items()) or "none"


def _write_backtest_pictures(card: Scorecard, folder: RunFolder) -> dict[str, str]:
    """Write the pictures; return file name -> what it shows."""
    ranked = [str(name) for name in card.pandas(card.leaderboard())["model"] if name != ORACLE]
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


def _scored_folds(card: Scorecard, folds: pd.DataFrame) -> list[Fold]:
    """Return the folds that have scores, in the order of the table's rows."""
    scored = set(np.unique(card.windows.steps(card.panel)).tolist())
    assert card.plan is not None
    kept = [fold for fold in card.plan.folds if fold.cutoff in scored]
    assert len(kept) == len(folds)
    return kept


def _calibration(card: Scorecard, distributions: Sequence[str]) -> Figure:
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


def write_search_pages(
    study: Study, config: Config, folder: RunFolder, *, seconds: float, test: str = "", where: str = ""
) -> None:
    """Write pictures and the summary of a search to the folder, or to a folder ``where`` in it."""
    pictures = _search_pictures(study)
    for name, (figure, _) in pictures.items():
        write_picture(folder, f"{where}{name}", figure)
    folds, search = study.task.plan.folds, config.search
    said = SearchFacts(
        config.name, study.metric.upper(), _unit(study), study.trials, study.baselines, study.all_importances(),
        command="foretide tune settings.yaml --out again",
        folds=f"{len(folds)} inner folds, cutoffs from {time_text(folds[0].time)} to {time_text(folds[-1].time)}",
        storage=study.storage, settings=search.model_dump() if search is not None else {},
        seconds=seconds, test=test, pictures={name: text for name, (_, text) in pictures.items()}, notes=study.notes,
    )  # fmt: skip
    folder.write_text(f"{where}summary.md", write_search_summary(said))


def _search_pictures(study: Study) -> dict[str, tuple[Figure, str]]:
    metric, unit, trials = study.metric.upper(), _unit(study), study.trials
    best = min(study.baselines.items(), key=lambda pair: pair[1], default=None)
    found = {
        "history.png": (
            history_figure(trials, metric=metric, unit=unit, baseline=best), "every trial, and the best so far."
        )
    }  # fmt: skip
    importances = {name: shares for name, shares in study.all_importances().items() if shares}
    if importances:
        found["importance.png"] = (importance_figure(importances), "how much each setting matters, by model.")
    for candidate in study.candidates:
        if not candidate.space or not (trials["model"] == candidate.label).any():
            continue
        logs = [name for name, entry in candidate.space.items() if getattr(entry, "log", False)]
        own = "".join(c if c.isalnum() or c in "-_" else "-" for c in candidate.label)
        found[f"slices-{own}.png"] = (
            slice_figure(trials, candidate.label, metric=metric, unit=unit, logs=logs),
            f"{candidate.label}: {metric} by each setting.",
        )
        if len(candidate.space) > 1:
            found[f"parallel-{own}.png"] = (
                parallel_figure(trials, candidate.label, metric=metric, logs=logs),
                f"{candidate.label}: settings of each trial, coloured by {metric}.",
            )
    return found


def _unit(study: Study) -> str:
    return {"mse": "squared counts", "rmse": "original units", "mae": "original units"}.get(study.metric, "")
