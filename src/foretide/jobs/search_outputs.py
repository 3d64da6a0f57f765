"""What a search leaves behind: trials, tables, pictures and a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.jobs.data_outputs import write_card
from foretide.jobs.pictures import write_picture
from foretide.report.search_figures import history_figure, importance_figure, parallel_figure, slice_figure
from foretide.report.search_summary import SearchFacts, write_search_summary
from foretide.text import time_text
from foretide.tuning.result import STUDY, TRIALS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.jobs.config import Config
    from foretide.jobs.folder import RunFolder
    from foretide.jobs.log import Log
    from foretide.tuning.result import Study


def write_search(study: Study, card: Scorecard | None, config: Config, folder: RunFolder, log: Log) -> None:
    """Write everything there is to keep of a search that is a job of its own."""
    if card is not None:
        write_card(card, folder)
        board = card.pandas(card.leaderboard())
        folder.write("metrics.csv", lambda path: board.to_csv(path, index=False, float_format="%.10g"))
    test = "" if card is None else f"On the test part, which no trial has seen: {_judged(card, study.unfitted().name)}"
    facts = write_study(study, config, folder, seconds=log.seconds, test=test)
    folder.write_json(
        "run.json",
        {
            "kind": "search", "verdict": study.verdict(), "test_verdict": test, "metric": study.metric,
            "best": vars(study.best), "settings": study.settings, "counts": bool(card.counts) if card else None,
            "baselines": study.baselines, "notes": list(study.notes), "seconds": round(log.seconds, 2),
        },
    )  # fmt: skip
    folder.write_text("summary.md", write_search_summary(facts))


def _judged(card: Scorecard, winner: str) -> str:
    """Return the verdict on the test part; of a winner that is a baseline itself, beside the best of the others."""
    if winner not in card.baselines:
        return card.verdict()
    errors = card.pandas(card.leaderboard()).set_index("model")[card.main]
    others = errors[[name for name in card.baselines if name != winner]].dropna()
    if not len(others) or not np.isfinite(errors[winner]):
        return card.verdict()
    best, own = str(others.idxmin()), float(errors[winner])
    saved = 1 - own / float(others.min())
    return (
        f"{winner}, which counts as a simple baseline itself, has an {card.main.upper()} of {own:.4g}, "
        f"{abs(saved):.1%} {'below' if saved > 0 else 'above'} that of the best other one, {best} "
        f"({float(others.min()):.4g})."
    )


def write_study(
    study: Study, config: Config, folder: RunFolder, *, seconds: float, test: str = "", where: str = ""
) -> SearchFacts:
    """Write trials, leaderboard and pictures of a study to the folder, or to a folder ``where`` in it."""
    prefix = f"{where}/" if where else ""
    folder.place(f"{prefix}{TRIALS}")
    study.save(folder.place(f"{prefix}{STUDY}").parent)
    board = study.leaderboard()
    folder.write(f"{prefix}leaderboard.csv", lambda path: board.to_csv(path, index=False, float_format="%.10g"))
    pictures = _pictures(study)
    for name, (figure, _) in pictures.items():
        write_picture(folder, f"{prefix}{name}", figure)
    folds = study.task.plan.folds
    search = config.search
    return SearchFacts(
        config.name, study.metric.upper(), _unit(study), study.trials, study.baselines, study.all_importances(),
        command="foretide tune settings.yaml --out again",
        folds=f"{len(folds)} inner folds, cutoffs from {time_text(folds[0].time)} to {time_text(folds[-1].time)}",
        storage=study.storage, settings=search.model_dump() if search is not None else {},
        seconds=seconds, test=test, pictures={name: text for name, (_, text) in pictures.items()}, notes=study.notes,
    )  # fmt: skip


def _pictures(study: Study) -> dict[str, tuple[Figure, str]]:
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


def write_run_search(study: Study, config: Config, folder: RunFolder) -> tuple[dict[str, Any], str]:
    """Write what a search before a run found to ``search``; return its facts and what the summary says of it."""
    told = write_study(study, config, folder, seconds=float(study.trials["seconds"].sum()), where="search")
    folder.write_text("search/summary.md", write_search_summary(told))
    facts = {
        "verdict": study.verdict(), "best": vars(study.best), "trials": len(study.trials),
        "baselines": study.baselines, "storage": study.storage,
    }  # fmt: skip
    counted = ", ".join(f"{n} of {model}" for model, n in study.trials["model"].value_counts(sort=False).items())
    text = (
        f"Before the models were fitted their settings were searched on the steps before the test part: {counted}. "
        f"{study.verdict()} `tuned.yaml` holds the settings found, `search/summary.md` every trial."
    )
    return facts, text
