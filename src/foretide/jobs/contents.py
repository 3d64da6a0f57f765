"""What a folder holds, as a report takes it: typed, from the scorecard and the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from foretide.data.counts import buckets
from foretide.errors import ArtifactError
from foretide.evaluation.cards.account import with_members
from foretide.evaluation.cards.tidy import tidy_frame
from foretide.evaluation.metrics.quantiles import LEAST_DENSE
from foretide.forecasters.artifact import from_json
from foretide.jobs import store
from foretide.jobs.config import read_settings
from foretide.jobs.folder import RunFolder
from foretide.jobs.outputs import KIND, comparison_table, facts_of_card, rank_table, reliability_table
from foretide.jobs.status import read_status
from foretide.report.content import AttentionWeights, Content, Explained, Future
from foretide.report.run.boards import BY_BUCKET
from foretide.report.run.forecasts import spread
from foretide.report.search.content import SearchContent
from foretide.tuning.space import Choice, Float, Int
from foretide.tuning.trials import by_number

if TYPE_CHECKING:
    from foretide.evaluation.cards.scorecard import Scorecard
    from foretide.tuning.space import Parameter
    from foretide.typing import Json

MOST_DRAWN = 2_000
"""Series whose forecasts a page is handed; it has room for fewer."""
FIRST_LEVEL = 80.0
"""The interval whose coverage by step is drawn, where there is one of that level."""
NOT_MEASURED = (
    "Which settings matter is measured by Optuna, which was not installed: pip install 'foretide[tune]', then "
    "foretide tune again with the same configuration."
)


def read_content(run: RunFolder, card: Scorecard | None = None) -> Content | SearchContent:
    """Return what a folder's files hold, as plain tables and arrays.

    Parameters
    ----------
    run : RunFolder
        Of a run, a backtest or a search.
    card : Scorecard, optional
        That of the folder, where it need not be read again.

    Returns
    -------
    Content or SearchContent

    Raises
    ------
    ArtifactError
        For a folder that is none of these.
    """
    facts = run.read(store.FACTS)
    if facts is not None and facts.get("kind") == "search":
        return _search(run, facts, card)
    card = card or (run.read(store.CARD) if (run.path / store.CARD.file).is_file() else None)
    if facts is None and card is not None:  # a scorecard that was saved by itself
        facts = {"kind": KIND, **facts_of_card(card)}
    if facts is None or (card is None and facts.get("kind") != "forecast"):
        raise ArtifactError(
            f"{run.path} holds no finished run: run.json or the scorecard is missing. Expected a folder made by "
            "`foretide run`, `demo`, `backtest`, `forecast` or `tune`, or one that a scorecard was saved in."
        )
    return Content(
        before=run.read(store.BEFORE), attention=_attention(run), explained=_explained(run),
        audit_columns=run.read(store.AUDIT_COLUMNS), audit_series=run.read(store.AUDIT_SERIES),
        future=_future(run, facts),
        ablations=run.read(store.ABLATIONS), **_told(run, facts), **(_unscored() if card is None else _scored(card)),
    )  # fmt: skip


def _future(run: RunFolder, facts: Json) -> Future | None:
    """What comes next, where the job forecast from the end of the table."""
    table, recent, about = run.read(store.FUTURE), run.read(store.RECENT), facts.get("future")
    if table is None or recent is None or about is None:
        return None
    return Future(
        about["model"], table, recent, tuple(about["levels"]), run.read(store.FORECAST),
        about.get("fitted_until", ""), about["notes"],
    )  # fmt: skip


def _unscored() -> Json:
    """What stands for the scores where nothing was scored."""
    return {"leaderboard": pd.DataFrame({"model": [], "kind": []}, dtype=object)}


def _told(run: RunFolder, facts: Json) -> Json:
    """Name, facts, configuration, and how the job ended where it did not finish."""
    settings, status = run.read(store.SETTINGS) or "", read_status(run.path)
    name = read_settings(settings).get("name")
    unfinished = ""
    if status is not None and status["status"] not in ("finished", "running"):
        unfinished = f"This {facts['kind']} is marked as {status['status']}; what is here may be only a part of it."
    return {
        "name": str(name or run.path.resolve().name), "facts": facts, "settings": settings, "status": unfinished,
    }  # fmt: skip


def _scored(card: Scorecard) -> Json:
    """All that a scorecard holds: its forecasts, tables, and what the models say of themselves."""
    held = card.distributions
    levels = {
        name: tuple(level for level in held.levels if own.holds((0.5 - level / 200, 0.5 + level / 200)))
        for name, own in held.quantiles.items()
    }
    known = sorted(held.levels, key=lambda level: (level != FIRST_LEVEL, level)) if held.quantiles else []
    ranks, found = rank_table(card), reliability_table(card)
    accounts = with_members({model.name: model.account for model in card.runs})
    epochs = [{"model": name, **line} for name, account in accounts.items() for line in account.get("epochs", ())]
    return {
        "forecasts": _forecasts(card), "history": pd.DataFrame(epochs) if epochs else None,
        "routed": {name: pd.DataFrame(a["buckets"]) for name, a in accounts.items() if "buckets" in a},
        "choices": {m.name: pd.DataFrame(m.account["choices"]) for m in card.runs if "choices" in m.account},
        "interventions": {name: a["interventions"] for name, a in accounts.items() if "interventions" in a},
        "leaderboard": card.pandas(card.leaderboard()), "by_step": card.frame_of(card.main, "h_step"),
        "by_series": card.frame_of(card.main, "series"), "skill": card.series_skill, "levels": levels,
        "folds": card.frame_of(card.main, "cutoff"), "fold_summary": card.pandas(card.fold_summary()),
        "comparisons": comparison_table(card), "ranks": ranks, "reliability": found, "pit": _pit(card),
        "coverage": {
            level: card.pandas(card.coverage(level, by="h_step")) for level in known
            if any(card.has(f"coverage_{level:g}", model) for model in card.models)
        },
        "buckets": _by_bucket(card) if card.counts else None,
        "typical": typical_series(card) if card.counts else {},
    }  # fmt: skip


def _forecasts(card: Scorecard) -> pd.DataFrame:
    """The forecasts of all series, or of as many as a page may have room for, from the least error to the largest."""
    windows = card.windows
    if len(np.unique(windows.entity)) <= MOST_DRAWN:
        return tidy_frame(card, all_points=True)
    table = card.frame_of(card.main, "series")
    best = card.best_of(card.models, card.main)
    order = table if best is None else table[table[best].notna()].sort_values(best, kind="stable")
    names = {*spread(order.iloc[:, 0].tolist())[:MOST_DRAWN], *(typical_series(card) if card.counts else {}).values()}
    series, d = card.panel.series, card.panel.n_targets
    drawn = [k // d for k, name in enumerate(series) if name in names]
    return tidy_frame(card, all_points=True, windows=np.flatnonzero(np.isin(windows.entity, drawn)))


def _pit(card: Scorecard) -> pd.DataFrame:
    """Histograms of the probability integral transform, one under the other."""
    parts = []
    for name, held in card.distributions.quantiles.items():
        if card.counts and len(held.levels) < LEAST_DENSE:
            continue  # A coarse grid shows a right distribution of counts as uneven.
        pit = card.pit_histogram(name)
        low, high = pit.edges[:-1], pit.edges[1:]
        parts.append(pd.DataFrame({
            "model": name, "low": low, "high": high, "observed": pit.observed, "nominal": pit.nominal
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _by_bucket(card: Scorecard) -> pd.DataFrame:
    """Figures by density: ``model, bucket, n_series`` and one column per metric."""
    parts = []
    for metric in (name for name in BY_BUCKET if name in card.metrics):
        table = card.pandas(card.by_bucket(metric))
        long = table.melt(id_vars=["bucket", "n_series"], var_name="model", value_name=metric)
        parts.append(long.set_index(["model", "bucket", "n_series"]))
    return pd.concat(parts, axis=1).reset_index()


def typical_series(card: Scorecard) -> dict[str, str]:
    """Return for each density the series that stands for it.

    Of the series that sold anything in the part that was tested, the one with the middle nonzero rate; where none did,
    of all.

    Parameters
    ----------
    card : Scorecard

    Returns
    -------
    dict
        ``dense``, ``sparse`` or ``ultra`` -> name of the series; densities without a series are left out.
    """
    sold, kinds = np.zeros(card.rates.shape), buckets(card.rates)
    np.add.at(sold, card.windows.entity, np.nansum(card.truth, axis=1))
    found = {}
    for kind in ("dense", "sparse", "ultra"):
        own = [
            (i, d) for i in np.unique(card.windows.entity).tolist() for d in range(card.rates.shape[1])
            if kinds[i, d] == kind
        ]  # fmt: skip
        own = [place for place in own if sold[place] > 0] or own
        if own:
            i, d = sorted(own, key=lambda place: (card.rates[place], place))[len(own) // 2]
            found[kind] = card.panel.series_name(i, d)
    return found


def _attention(run: RunFolder) -> dict[str, AttentionWeights]:
    about, arrays = run.read(store.ATTENTION_ABOUT), run.read(store.ATTENTION)
    if about is None or arrays is None:
        return {}
    return {
        name: AttentionWeights(
            arrays[name], [f"cutoff {w['cutoff']}" for w in of["windows"]],
            [w["entity"] or "all targets" for w in of["windows"]], of["about"],
        )
        for name, of in about["models"].items()
    }  # fmt: skip


def _explained(run: RunFolder) -> list[Explained]:
    """What ``foretide explain`` left: sentences and the tables they were made from."""
    return [
        Explained(part["model"], part["subject"], part["sentences"], {
            name: table for name in part["tables"]
            if (table := run.read(store.EXPLAINED_TABLE, model=part["model"], table=name)) is not None
        }, part.get("brief", ()))
        for part in run.read(store.EXPLAINED) or ()
    ]  # fmt: skip


# ------------------------------------------------------------------ a search
def _search(run: RunFolder, facts: Json, card: Scorecard | None) -> SearchContent:
    study, trials, board = run.read(store.STUDY), run.read(store.TRIALS), run.read(store.LEADERBOARD)
    if study is None or trials is None or board is None:
        raise ArtifactError(
            f"{run.path} holds no finished search. Expected a folder made by `foretide tune`; the same command goes on "
            "with a search that was interrupted."
        )
    card = card or run.read(store.CARD)
    about: Json = study["about"]
    shares = facts.get("importances", {})
    models = {key.removeprefix("model "): entry for key, entry in about.items() if key.startswith("model ")}
    return SearchContent(
        trials=by_number(trials), leaderboard=board, measure=facts["metric"], baselines=facts["baselines"],
        about=about, storage=str(study["storage"]),
        spaces={m: {name: _parameter(e) for name, e in entry["space"].items()} for m, entry in models.items()},
        importances=shares, missing="" if shares else NOT_MEASURED, versions=study["versions"],
        tuned=run.read(store.TUNED) or "",
        test_board=None if card is None else card.pandas(card.leaderboard()), **_told(run, facts),
    )  # fmt: skip


def _parameter(entry: Mapping[str, object]) -> Parameter:
    """Read what a setting was chosen from."""
    known: Json = dict(entry)
    if "choice" in known:
        return Choice(tuple(from_json(option) for option in known["choice"]))
    low, high = known.get("int") or known["float"]
    return Int(low, high, known["log"]) if "int" in known else Float(low, high, known["log"])
