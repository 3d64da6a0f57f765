"""What a run or a backtest leaves behind: the scorecard, data behind pictures, facts, and tables for people."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.audit import column_audit, series_audit
from foretide.evaluation.cards.account import with_members
from foretide.evaluation.cards.align import first_cutoffs
from foretide.evaluation.cards.groups import groups_of
from foretide.evaluation.cards.large import windows_at_once
from foretide.evaluation.cards.tidy import tidy_frame
from foretide.evaluation.compare.pairs import rank_over_series
from foretide.evaluation.compare.tests import holm
from foretide.jobs import store
from foretide.text import time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foretide.data.panel import Panel
    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.jobs.folder import RunFolder
    from foretide.jobs.job import Job
    from foretide.tuning.result import Study
    from foretide.typing import Ints, Json

KIND = "scorecard"
"""What a folder is called that no job made, only a scorecard was saved in."""
LEAST, MOST = 24, 240
"""Steps kept before the first cutoff: four horizons, but at least and at most so many."""


def write_outputs(job: Job, card: Scorecard, study: Study | None = None, future: Json | None = None) -> None:
    """Write all that is kept of forecasts and scores; pages and pictures are made from it.

    Parameters
    ----------
    job : Job
    card : Scorecard
    study : Study, optional
    future : dict, optional
        What :func:`foretide.jobs.ahead.keep_future` returned.
    """
    folder, panel = job.folder, card.panel
    folder.keep(store.CARD, card)
    slices = windows_at_once(card.truth.shape)
    folder.keep(store.FORECASTS, (tidy_frame(card, all_points=True, windows=some) for some in slices))
    folder.keep(store.BEFORE, before(panel, first_cutoffs(panel, card.windows), card.truth.shape[1]))
    folder.keep(store.AUDIT_COLUMNS, column_audit(panel))
    folder.keep(store.AUDIT_SERIES, series_audit(panel, job.config.season))
    for item, table in tables_of(card).items():
        if len(table):
            folder.keep(item, table)
    if ablations := job.config.ablations:
        parts = [card.pandas(card.ablation(models)).assign(ablation=title) for title, models in ablations.items()]
        folder.keep(store.ABLATIONS, pd.concat(parts, ignore_index=True))
    _write_accounts(card, folder)
    facts = facts_of(job, card)
    if future is not None:
        facts["future"] = future
    if study is not None:
        facts["search"] = {
            "verdict": study.verdict(), "best": vars(study.best), "trials": len(study.trials),
            "baselines": study.baselines, "storage": study.storage,
        }  # fmt: skip
    folder.keep(store.FACTS, facts)


def keep_card_facts(folder: RunFolder, card: Scorecard) -> None:
    """Keep what the page of a scorecard is made from besides the card.

    Parameters
    ----------
    folder : RunFolder
    card : Scorecard
        One that was read back knows no values: what is in the data stays as it was kept.
    """
    panel = card.panel
    if not np.isnan(panel.values).all():
        folder.keep(store.BEFORE, before(panel, first_cutoffs(panel, card.windows), card.truth.shape[1]))
        folder.keep(store.AUDIT_COLUMNS, column_audit(panel))
        folder.keep(store.AUDIT_SERIES, series_audit(panel, card.scale.season))
    folder.keep(store.FACTS, {"kind": KIND, **facts_of_card(card)})


def before(panel: Panel, cutoffs: Sequence[int] | Ints, h: int) -> pd.DataFrame:
    """Return the targets of the steps up to a cutoff of every series.

    Parameters
    ----------
    panel : Panel
    cutoffs : int array ``[entities]``
        Rows.
    h : int
        Horizon.

    Returns
    -------
    DataFrame
        Id, time, ``y``; a row per series and step at which it has a row.
    """
    kept, d = min(max(4 * h, LEAST), MOST), panel.n_targets
    ends = np.minimum(np.asarray(cutoffs) + 1, panel.length)
    begins = np.clip(np.asarray(cutoffs) + 1 - kept, 0, None)
    counts = np.repeat(np.maximum(ends - begins, 0), d)  # of each series: entities outer, targets inner
    series = np.repeat(np.arange(len(counts)), counts)
    entity = series // d
    row = begins[entity] + np.arange(len(series)) - (np.cumsum(counts) - counts)[series]
    return pd.DataFrame({
        panel.names.id: np.array(panel.series, dtype=object)[series],
        panel.names.time: panel.grid.output_times(panel.first[entity] + row),
        "y": panel.values[panel.row0[entity] + row, series % d],
    })  # fmt: skip


# ---------------------------------------------------------------- tables for people
def tables_of(card: Scorecard) -> dict[store.Item[pd.DataFrame], pd.DataFrame]:
    """Return the tables for people: figures over all, by step, series, bucket and fold; what is more than chance.

    Parameters
    ----------
    card : Scorecard

    Returns
    -------
    dict
    """
    tables = {
        store.METRICS: card.pandas(card.leaderboard()), store.BY_STEP: _one_line_each(card, "h_step"),
        store.BY_SERIES: _one_line_each(card, "series"), store.FOLDS: card.frame_of(card.main, "cutoff"),
        store.FOLD_SUMMARY: card.pandas(card.fold_summary()), store.SERIES_SKILL: card.series_skill,
        store.COMPARISONS: comparison_table(card), store.RANKS: rank_table(card),
        store.RELIABILITY: reliability_table(card),
    }  # fmt: skip
    if card.counts:
        tables[store.BY_BUCKET] = _one_line_each(card, "bucket")
        if card.distributions.quantiles:
            tables[store.STOCK] = card.pandas(card.stock())
    return tables


def _one_line_each(card: Scorecard, by: str) -> pd.DataFrame:
    """Return one row per model and step (series, bucket) with one column per metric."""
    groups = groups_of(card, by)
    (key,) = groups.keys.columns
    parts = [
        pd.DataFrame({
            "model": model, "key": groups.keys[key],
            **{metric: card.values_of(model, metric, groups) for metric in card.metrics},
        })
        for model in card.forecasts
    ]  # fmt: skip
    lines = pd.concat(parts, ignore_index=True)
    return lines.rename(columns={"key": by if key in lines.columns else key})


def comparison_table(card: Scorecard) -> pd.DataFrame:
    """Return every model beside the best baseline: difference, interval, test, corrected for the number of models.

    Parameters
    ----------
    card : Scorecard

    Returns
    -------
    pd.DataFrame
    """
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
    return table.assign(p_holm=holm(table["p_value"].to_list())) if rows else table


def rank_table(card: Scorecard) -> pd.DataFrame:
    """Return the ranking over series with its critical difference; no rows where there are too few of either.

    Parameters
    ----------
    card : Scorecard

    Returns
    -------
    pd.DataFrame
    """
    scored = int((~np.isnan(card.series_skill["baseline_error"])).sum()) if card.baselines else 0
    if len(card.models) < 2 or scored < 2:
        return pd.DataFrame()
    ranking = rank_over_series(card)
    return ranking.to_frame().assign(
        critical_difference=ranking.critical_difference, friedman_p=ranking.friedman_p, n_series=ranking.n
    )


def reliability_table(card: Scorecard) -> pd.DataFrame:
    """Return the reliability of every distribution's quantiles, one under the other.

    Parameters
    ----------
    card : Scorecard

    Returns
    -------
    pd.DataFrame
    """
    parts = [card.pandas(card.reliability(model)).assign(model=model) for model in card.distributions.quantiles]
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return whole[["model", "level", "below", "at_or_below", "n"]] if parts else whole


def _write_accounts(card: Scorecard, folder: RunFolder) -> None:
    """Write what models say of themselves: choices, epochs, buckets, interventions; those of a blend's members too."""
    accounts = {run.name: run.account for run in card.runs}
    epochs = [{"model": name, **line} for name, account in accounts.items() for line in account.get("epochs", ())]
    if epochs:
        folder.keep(store.HISTORY, pd.DataFrame(epochs))
    for name, account in accounts.items():
        if any(account.get("choices", {}).get("own", ())):
            folder.keep(store.CHOICES, pd.DataFrame(account["choices"]), model=name)
    interventions: Json = {}
    for name, account in with_members(accounts).items():
        if "buckets" in account:
            folder.keep(store.BUCKETS, pd.DataFrame(account["buckets"]), model=name)
        if "interventions" in account:
            interventions[name] = account["interventions"]
    if interventions:
        folder.keep(store.INTERVENTIONS, interventions)


# ---------------------------------------------------------------- facts
def facts_of(job: Job, card: Scorecard) -> Json:
    """Return what ``run.json`` holds: what is known of the scorecard, and of the job that made it.

    Parameters
    ----------
    job : Job
    card : Scorecard

    Returns
    -------
    dict
    """
    return {
        "kind": job.deed.name, **facts_of_card(card), "seeds": list(job.config.seeds),
        "seconds": round(job.log.seconds, 2), "threads": threads(),
    }  # fmt: skip


def threads() -> Json:
    """Return how many threads there are, and cores."""
    torch = sys.modules.get("torch")
    return {
        "torch": torch.get_num_threads() if torch is not None else None,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"), "cores": os.cpu_count(),
    }  # fmt: skip


def facts_of_card(card: Scorecard) -> Json:
    """Return what is known of a scorecard: verdict, data, parts and folds, sizes, models, seconds, versions.

    Parameters
    ----------
    card : Scorecard
        Of a run or a backtest, or of forecasts that were scored by themselves.

    Returns
    -------
    dict
        Without ``folds`` where they are not known.
    """
    panel, plan = card.panel, card.plan
    facts: Json = {
        "verdict": card.verdict(), "counts": card.counts, "h": int(card.truth.shape[1]), "data": data_facts(panel),
        "windows": len(card.windows), "series": len(np.unique(card.series_groups)), "notes": list(card.notes),
        "models": {
            run.name: {
                "class": run.kind, "baseline": run.baseline, "asked": run.asked, "start_of": run.start_of,
                "settings": run.settings,
                "seed": run.seed, "fits": run.n_fits, "fit_seconds": round(run.fit_seconds, 3),
                "predict_seconds": round(run.predict_seconds, 3), "peak_mib": round(run.peak_mib, 1),
            }
            for run in card.runs
        },
        "about": card.about,
    }  # fmt: skip
    if plan is not None:
        facts["folds"] = {
            "n": len(plan.folds), "first_cutoff": time_text(plan.folds[0].time),
            "last_cutoff": time_text(plan.folds[-1].time), "step": plan.step, "gap": plan.gap,
            "train_size": plan.train_size, "val_size": plan.val_size, "fits": len(plan.blocks), "season": plan.season,
        }  # fmt: skip
    if plan is not None and plan.split is not None:
        split = plan.split
        times = panel.grid.output_times([int(panel.first.min()), split.train_end, split.val_end, split.test_end])
        names = ("start", "train_until", "val_until", "test_until")
        facts["parts"] = {**dict(zip(names, map(str, times), strict=True)), "own": split.own is not None}
    if card.counts:
        table = card.pandas(card.by_bucket(card.main))
        facts["buckets"] = {str(b): int(n) for b, n in zip(table["bucket"], table["n_series"], strict=True)}
    return facts


def data_facts(panel: Panel) -> Json:
    """Return what is known of a table: sizes, grid, and which column is what.

    Parameters
    ----------
    panel : Panel
        One that knows names and times only has no values that could be missing; nor are the targets of steps to come.

    Returns
    -------
    dict
    """
    known = [np.isnan(panel.rows(i)[:n]) for i, n in enumerate(panel.observed.tolist())]
    cells, missing = sum(part.size for part in known), sum(int(part.sum()) for part in known)
    return {
        "entities": panel.n_entities, "rows": int(panel.length.sum()), "freq": panel.grid.freq, "tz": panel.grid.tz,
        "targets": panel.targets, "past": panel.past, "future": panel.future,
        "missing_cells": missing if missing < cells else 0, "panel": repr(panel),
    }  # fmt: skip
