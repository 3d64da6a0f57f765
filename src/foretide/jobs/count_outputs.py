"""What a run on counts leaves behind besides: figures by density, a picture of intervals, buckets and interventions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.data.counts import buckets
from foretide.data.files import file_name
from foretide.forecasters.base import Forecaster
from foretide.jobs.pictures import write_picture
from foretide.jobs.results import Result
from foretide.report.intervals import bands, interval_figure, interval_words, typical_series
from foretide.report.summary import BY_BUCKET, markdown

if TYPE_CHECKING:
    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.jobs.folder import RunFolder

SHOWN_LEVEL = 80.0
MOST_ROWS = 60


def bucket_sizes(scores: Scorecard) -> dict[str, int]:
    """Return how many of the series scored lie in each density bucket."""
    table = scores.by_bucket(scores.main)
    return {str(b): int(n) for b, n in zip(table["bucket"], table["n_series"], strict=True)}


def shown_series(scores: Scorecard) -> dict[str, tuple[int, int]]:
    """Return for each density the (entity, target) that pictures show."""
    sold = np.zeros(scores.rates.shape)
    np.add.at(sold, scores.windows.entity, np.nansum(scores.truth, axis=1))
    entities = np.unique(scores.windows.entity).tolist()
    return typical_series(scores.rates, buckets(scores.rates), entities, sold)


def by_bucket(scores: Scorecard) -> pd.DataFrame:
    """Return the figures that the summary shows by density: ``model, bucket`` and one column per metric."""
    parts = []
    for metric in (name for name in BY_BUCKET if name in scores.metrics):
        long = (
            scores.pandas(scores.by_bucket(metric))
            .drop(columns="n_series")
            .melt(id_vars="bucket", var_name="model", value_name=metric)
        )
        parts.append(long.set_index(["model", "bucket"]))
    whole: pd.DataFrame = pd.concat(parts, axis=1).reset_index()
    return whole


def write_interval_picture(results: Sequence[Result], scores: Scorecard, folder: RunFolder) -> dict[str, str]:
    """Draw the best model with a distribution on one series of each density; return file name -> what it shows."""
    forecasts = {r.entry.name: r.forecast for r in results if r.forecast.levels and scores.has("wql", r.entry.name)}
    if not forecasts:
        return {}
    name = min(forecasts, key=lambda model: (model in scores.baselines, scores.value(model, scores.main)))
    forecast = forecasts[name]
    pieces = [bands(forecast, kind=kind, entity=i, target=d) for kind, (i, d) in shown_series(scores).items()]
    figure = interval_figure(pieces, model=name, freq=scores.panel.grid.freq)
    write_picture(folder, "intervals.png", figure)
    level = SHOWN_LEVEL if SHOWN_LEVEL in forecast.levels else forecast.levels[0]
    table = scores.coverage(level, by="bucket")
    whole = dict(zip(table["bucket"], table[name], strict=True)) if name in table else {}
    about = f"intervals of {name} for a series of each density. {interval_words(pieces, level, whole)}"
    return {"intervals.png": about}


def write_model_tables(results: Sequence[Result], folder: RunFolder) -> dict[str, str]:
    """Write which target a model gave to which head, and what it intervened in; return sections of the summary."""
    sections, counted = {}, {}
    for name, model in _models(results):
        if hasattr(model, "bucket_table"):
            table: pd.DataFrame = model.bucket_table()
            file = f"buckets-{file_name(name)}.csv"
            folder.write(file, lambda path, t=table: t.to_csv(path, index=False))  # type: ignore[misc]
            sections[f"Buckets of {name}"] = _shown(table, file)
        interventions = getattr(model, "interventions", None)
        if interventions is not None:
            counted[name] = dict(interventions)
    if counted:
        folder.write_json("interventions.json", counted)
        lines = [f"- **{name}**: {_counts(found)}" for name, found in counted.items()]
        sections["Interventions"] = "\n".join(["Values of forecasts changed after the model, by reason.", "", *lines])
    return sections


def _models(results: Sequence[Result]) -> Iterator[tuple[str, Forecaster]]:
    """Every model of a run, and the members of the blends."""
    for result in results:
        yield result.entry.name, result.entry.forecaster
        for k, member in enumerate(getattr(result.entry.forecaster, "members", ())):
            yield f"{result.entry.name}-{k}-{member.name}", member


def _shown(table: pd.DataFrame, file: str) -> str:
    rows = [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in line] for line in table.itertuples(index=False)]
    text = markdown([str(c) for c in table.columns], rows[:MOST_ROWS])
    return text + (f"\n\nThe first {MOST_ROWS} of {len(rows)}; all in `{file}`." if len(rows) > MOST_ROWS else "")


def _counts(found: dict[str, Any]) -> str:
    return ", ".join(f"{what.replace('_', ' ')} {value}" for what, value in found.items()) or "none"
