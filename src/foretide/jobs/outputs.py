"""What a run leaves behind: tables, arrays, pictures and a summary."""

from __future__ import annotations

import csv
import io
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data.files import file_name
from foretide.evaluation.cards.align import ORACLE
from foretide.evaluation.score import score
from foretide.forecasters.forecast import sentences_of
from foretide.jobs.attention_outputs import write_attention
from foretide.jobs.count_outputs import (
    bucket_sizes,
    by_bucket,
    shown_series,
    write_interval_picture,
    write_model_tables,
)
from foretide.jobs.data_outputs import write_audit, write_before
from foretide.jobs.pictures import write_picture
from foretide.jobs.results import Result
from foretide.jobs.search_outputs import write_run_search
from foretide.report.figures import attention_figure, forecast_figure, stretch
from foretide.report.summary import Facts, write_summary
from foretide.report.words import attention_words, error_words, start_words

if TYPE_CHECKING:
    from foretide.data.splits import Split
    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.forecasters.base import Forecaster
    from foretide.forecasters.forecast import Forecast
    from foretide.jobs.config import Config
    from foretide.jobs.folder import RunFolder
    from foretide.jobs.log import Log
    from foretide.jobs.prepare import Prepared
    from foretide.models.start import Tried
    from foretide.tuning.result import Study

VERSIONS_OF = ("foretide", "numpy", "pandas", "scipy", "torch", "statsmodels", "statsforecast")


def write_scores(
    results: Sequence[Result], prepared: Prepared, config: Config, folder: RunFolder, quantiles: tuple[float, ...]
) -> Scorecard:
    """Score all forecasts and write the tables; ``quantiles`` are those forecast beside the levels'."""
    forecasts = [r.forecast for r in results]
    oracle = prepared.oracle(forecasts[0].windows, config.h, config.levels, quantiles)
    scores = score(
        forecasts, prepared.panel, train=prepared.train, season=config.season, oracle=oracle,
        baselines=[r.entry.name for r in results if r.entry.baseline],
    )  # fmt: skip
    scores = replace(scores, notes=(*scores.notes, *told_of(prepared.split), *sentences_of(forecasts)))
    _csv(folder, "metrics.csv", scores.pandas(scores.leaderboard()))
    figures = scores.pandas(scores.figures())
    for scope, key, name in (("h_step", "h_step", "step"), ("series", prepared.panel.names.id, "series")):
        _csv(folder, f"metrics_by_{name}.csv", _one_line_each(figures, scope, key))
    if scores.counts:
        _csv(folder, "metrics_by_bucket.csv", _one_line_each(figures, "bucket", "bucket"))
    return scores


def told_of(split: Split) -> list[str]:
    """Say so where every series has a test part of its own."""
    if split.own is None:
        return []
    _, share, least = split.own
    return [
        f"Series end at different times: each is tested on its own last {share:.0%}, at least {least} steps, and "
        "models are fitted on what lies before."
    ]


def _one_line_each(figures: pd.DataFrame, scope: str, key: str) -> pd.DataFrame:
    """Return one row per model and step (or series) with one column per metric."""
    chosen = figures[figures["scope"] == scope]
    wide = chosen.set_index(["model", "key", "metric"])["value"].unstack("metric")
    order = chosen[["model", "key"]].drop_duplicates()
    lines = order.merge(wide[list(dict.fromkeys(chosen["metric"]))].reset_index(), on=["model", "key"])
    return lines.rename(columns={"key": scope if key in lines.columns else key})


def write_outputs(
    results: Sequence[Result], scores: Scorecard, prepared: Prepared, config: Config, folder: RunFolder, log: Log,
    study: Study | None = None,
) -> None:  # fmt: skip
    """Write forecasts, attention, training history, pictures, facts and the summary; what a search found before."""
    # Of counts more quantiles are forecast than anybody asked for, to score them by.
    asked = config.quantiles or ()
    table = forecast_table([replace(r.forecast, quantile_columns=asked if r.forecast.levels else ()) for r in results])
    folder.write("forecasts.parquet", lambda path: table.to_parquet(path, index=False))
    write_before(prepared.panel, results[0].forecast.windows, config.h, folder)
    write_audit(prepared.panel, config.season, folder)
    write_attention({r.entry.name: r.attention for r in results if r.attention is not None}, folder)
    _write_history(results, folder)
    pictures = _write_pictures(results, scores, prepared, folder)
    facts = _facts(results, scores, prepared, config, log)
    if scores.counts:
        facts["buckets"] = bucket_sizes(scores)
        pictures.update(write_interval_picture(results, scores, folder))
    sections = write_model_tables(results, folder)
    if study is not None:
        facts["search"], sections["Search"] = write_run_search(study, config, folder)
    folder.write_json("run.json", facts)
    board = scores.pandas(scores.leaderboard())
    density = by_bucket(scores) if scores.counts else None
    summary = Facts(config.name, scores.verdict(), str(prepared.panel), facts, board, pictures, density, sections)
    folder.write_text("summary.md", write_summary(summary))


def forecast_table(forecasts: Sequence[Forecast]) -> pd.DataFrame:
    """Return one long table: id, time, ``cutoff``, ``h_step``, truth ``y``, then the columns of every model."""
    first = forecasts[0]
    n, h, d = first.mean.shape
    table = first.pandas()
    table.insert(3, "h_step", np.tile(np.arange(1, h + 1), n * d))
    table.insert(4, "y", np.swapaxes(first.truth(), 1, 2).reshape(-1))
    others = [forecast.pandas().iloc[:, 3:] for forecast in forecasts[1:]]
    whole: pd.DataFrame = pd.concat([table, *others], axis=1)
    return whole


def _csv(folder: RunFolder, name: str, frame: pd.DataFrame) -> None:
    folder.write(name, lambda path: frame.to_csv(path, index=False, float_format="%.10g"))


def _write_history(results: Sequence[Result], folder: RunFolder) -> None:
    rows = [{"model": r.entry.name, **line} for r in results for line in _history(r.entry.forecaster)]
    if not rows:
        return
    keys = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, keys, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    folder.write_text("history.csv", out.getvalue())


def _history(forecaster: Forecaster) -> list[dict[str, Any]]:
    """Return one line per epoch; of a model that learns in stages, with the name of the stage."""
    found = getattr(forecaster, "history", None) or []
    if isinstance(found, dict):
        return [{"stage": stage, **line} for stage, lines in found.items() for line in lines]
    return list(found)


def _write_pictures(
    results: Sequence[Result], scores: Scorecard, prepared: Prepared, folder: RunFolder
) -> dict[str, str]:
    """Write the pictures; return file name -> what it shows."""
    by_name = {r.entry.name: r for r in results}
    ranked = [name for name in scores.leaderboard()["model"] if name in by_name]
    asked = [name for name in ranked if not by_name[name].entry.baseline][:2]
    best_baseline = [name for name in ranked if by_name[name].entry.baseline][:1]
    shown = [by_name[name].forecast for name in (asked + best_baseline) or ranked[:2]]
    freq = prepared.panel.grid.freq
    metric = scores.main
    steps = scores.frame_of(metric, "h_step")
    errors = {name: steps[name].to_numpy(float) for name in ranked}
    floor = steps[ORACLE].to_numpy(float) if ORACLE in steps else None
    entity, target = next(iter(shown_series(scores).values())) if scores.counts else (0, 0)
    figure = forecast_figure(
        stretch(shown, entity=entity, target=target), errors, freq=freq, metric=metric.upper(), floor=floor,
        unit="squared counts" if scores.counts else "original units",
    )  # fmt: skip
    write_picture(folder, "forecast.png", figure)
    names = ", ".join(f.model for f in shown)
    growth = error_words(shown[0].model, errors[shown[0].model], freq, metric.upper())
    pictures = {"forecast.png": f"{names} against truth; below, the error by horizon step. {growth}"}
    for result in results:
        if result.attention is None:
            continue
        name = f"attention-{file_name(result.entry.name)}.png"
        weights = result.attention.extras["attention"]
        heat = attention_figure(weights, model=result.entry.name, freq=freq, windows="spread over the test part")
        write_picture(folder, name, heat)
        about = [f"where {result.entry.name} looks, horizon step by lag.", attention_words(weights, freq)]
        start: list[Tried] = getattr(result.entry.forecaster, "start_report", list)()
        pictures[name] = " ".join([*about, start_words(start[0])] if start else about)
    return pictures


def _facts(
    results: Sequence[Result], scores: Scorecard, prepared: Prepared, config: Config, log: Log
) -> dict[str, Any]:
    panel, split = prepared.panel, prepared.split
    torch: Any = sys.modules.get("torch")
    times = panel.grid.output_times([int(panel.first.min()), split.train_end, split.val_end, split.test_end])
    return {
        "data": {
            "entities": panel.n_entities, "rows": int(panel.length.sum()), "freq": panel.grid.freq, "tz": panel.grid.tz,
            "targets": panel.targets, "past": panel.past, "future": panel.future,
            "missing_cells": int(np.isnan(panel.values).sum()),
        },
        "parts": {
            **dict(zip(("start", "train_until", "val_until", "test_until"), map(str, times), strict=True)),
            "own": split.own is not None,
        },
        "test_windows": len(results[0].forecast),
        "counts": scores.counts,
        "h": config.h,
        "verdict": scores.verdict(),
        "notes": list(scores.notes),
        "models": {
            r.entry.name: {
                "class": type(r.entry.forecaster).__name__, "baseline": r.entry.baseline,
                "settings": r.entry.forecaster.settings(), "fit_seconds": round(r.fit_seconds, 3),
                "predict_seconds": round(r.predict_seconds, 3),
            }
            for r in results
        },
        "seconds": round(log.seconds, 2),
        "threads": {
            "torch": torch.get_num_threads() if torch is not None else None,
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"), "cores": os.cpu_count(),
        },
        "versions": {"python": platform.python_version(), "platform": platform.platform(), **_versions()},
    }  # fmt: skip


def _versions() -> dict[str, str]:
    found = {}
    for package in VERSIONS_OF:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
