"""The sections of a search's page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foretide.report.search import tables
from foretide.report.search.content import without_password
from foretide.report.search.importances import importance_picture, importance_words
from foretide.report.search.slices import pair_picture, parallel_picture, slice_picture
from foretide.report.section import Folded, Section, Table
from foretide.text import duration, phrase
from foretide.tuning.drawn import history_picture, value_text
from foretide.tuning.trials import NOT_FINITE, counted, outcomes

if TYPE_CHECKING:
    from foretide.report.search.content import SearchContent

IMPORTANCE = (
    "A setting's importance says how far the best fifth of a model's finished trials differs in it from all of them "
    "(PED-ANOVA), as a share of one. A search tries good regions more often than others, so shares are hints, no tests."
)


def summary(content: SearchContent) -> Section:
    """Return the verdict, that on the test part, which no trial has seen, and what they rest on."""
    trials, facts = content.trials, content.facts
    test = str(facts.get("test_verdict") or "") or "The best model was not judged on the test part."
    lines = [f"{phrase('trial', len(trials))} of {phrase('model', len(content.ranked))}: {counted(outcomes(trials))}"]
    folds = (content.about.get("folds") or {}).get("folds") or []
    if folds:
        first, last = (str(folds[k]["time"]).removesuffix(" 00:00:00") for k in (0, -1))
        windows = content.about["folds"].get("windows")
        many = f"{len(folds)} inner folds, cutoffs from {first} to {last}"
        many = many if len(folds) > 1 else f"One inner fold, cutoff {first}"
        lines.append(f"{many}{f'; {windows} windows' if windows else ''}, the same for all trials and baselines")
    best = facts.get("best")
    if best:
        given = ", ".join(f"{name} {value_text(value)}" for name, value in best["settings"].items())
        lines.append(f"Best: trial {best['number']}, {best['model']}{f' with {given}' if given else ''}")
    notes = [f"Note: {note}" for note in facts.get("notes", [])]
    return Section("summary", "Summary", [str(facts["verdict"]), test], [*lines, *notes])


def leaderboard(content: SearchContent) -> Section:
    """Return the leaderboards of the inner folds and of the test part."""
    return Section(
        "leaderboard", "Leaderboard", tables=_made(tables.search_board(content), tables.judged_board(content))
    )


def history(content: SearchContent) -> Section:
    """Return the history of the trials."""
    return Section("history", "History of the trials", pictures=[history_picture(content)])


def importance(content: SearchContent) -> Section | None:
    """Return which settings matter; why that is not known where it is not."""
    picture, title = importance_picture(content), "Which settings matter"
    if picture is None:
        return Section("importance", title, [content.missing]) if content.missing else None
    words = [
        f"{model}: {importance_words(content.trials, model, content.importances.get(model, {}))}"
        for model in content.ranked
    ]
    return Section("importance", title, [IMPORTANCE], words, pictures=[picture])


def slices(content: SearchContent) -> Section | None:
    """Return the value by setting."""
    made = (slice_picture(content), pair_picture(content), parallel_picture(content))
    drawn = [picture for picture in made if picture is not None]
    return Section("slices", "Value by setting", pictures=drawn) if drawn else None


def trials(content: SearchContent) -> Section:
    """Return the trials, and their time by model."""
    return Section("trials", "Trials", tables=[tables.trials_table(content), tables.time_table(content)])


def failures(content: SearchContent) -> Section | None:
    """Return what went wrong."""
    table = tables.failure_table(content)
    if table is None:
        return None
    n = sum(how in ("failed", NOT_FINITE) for how in outcomes(content.trials))
    text = f"{n} of {len(content.trials)} trials ended without a value that can be compared."
    return Section("failures", "Failures", [text], tables=[table])


def best(content: SearchContent) -> Section | None:
    """Return the best settings."""
    table = tables.best_table(content)
    if table is None and not content.tuned:
        return None
    said = ["tuned.yaml is the configuration with the best settings of every model: foretide run tuned.yaml"]
    folded = [Folded("tuned.yaml", content.tuned)] if content.tuned else []
    return Section("best", "The best settings", said if content.tuned else (), tables=_made(table), folded=folded)


def settings(content: SearchContent) -> Section:
    """Return how the search can be repeated and gone on with, how long it took, and with what it was made."""
    lines = ["Repeat it: foretide tune settings.yaml --out again"]
    if content.storage:
        place = without_password(content.storage)
        lines.append(f"The study lies in {place}; with it, the same command goes on where the search ended")
    lines.append(f"Took {duration(float(content.facts['seconds']))}")
    chosen = {k: content.about.get(k) for k in ("sampler", "pruner", "seed")}
    given = ", ".join(f"{k} {v}" for k, v in chosen.items() if v is not None)
    if given:
        lines.append(f"Search: {given}")
    if content.versions:
        lines.append("Versions: " + ", ".join(f"{k} {v}" for k, v in content.versions.items()))
    return Section(
        "settings", "Settings and versions", facts=lines, tables=_made(tables.space_table(content)),
        folded=[Folded("settings.yaml", content.settings)],
    )  # fmt: skip


def _made(*parts: Table | None) -> list[Table]:
    return [part for part in parts if part is not None]
