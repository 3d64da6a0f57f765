"""A search in words: the verdict first, then the best of each model, the best trials, what mattered, what failed."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from foretide.report.search_trials import (
    OUTCOMES,
    by_number,
    counted,
    finished,
    is_number,
    missing,
    outcomes,
    parameters,
    scale_of,
    shown_cell,
)
from foretide.report.summary import markdown
from foretide.text import duration, number, phrase

if TYPE_CHECKING:
    from collections.abc import Iterable

ENOUGH = 10
"""Finished trials of a model from which its importances are put in words."""
STANDS_OUT = 1.5
"""A parameter is named from this multiple of an even share."""
CLEAR = 0.4
"""Rank correlation from which a direction is named."""
SHOWN_TRIALS = 10
LONGEST_ERROR = 200


@dataclass(frozen=True)
class SearchFacts:
    """What the summary is written from.

    Attributes
    ----------
    name : str
    metric, unit : str
        What the value of a trial is, lower is better, and in what it is measured; "" for no unit.
    trials : DataFrame
        ``number, model, state, value, seconds, seed, error`` and one column per parameter; a row per trial.
    baselines : mapping
        Simple baseline -> value on the same folds; NaN where it failed.
    importances : mapping
        Model -> parameter -> importance.
    command : str
        Repeats or resumes the search.
    folds : str
        On what a trial was scored, in words.
    storage : str
        Where the study lies; "" for nowhere.
    settings, versions : mapping
        Of the search (sampler, pruner, seed …), and of the software.
    seconds : float
        Of the whole search.
    test : str
        How the chosen model did on the test part, in words.
    pictures : mapping
        File name -> what it shows.
    notes : tuple of str
    """

    name: str
    metric: str
    unit: str
    trials: pd.DataFrame
    baselines: Mapping[str, float]
    importances: Mapping[str, Mapping[str, float]]
    command: str
    folds: str = ""
    storage: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: float = math.nan
    test: str = ""
    pictures: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def write_search_summary(facts: SearchFacts) -> str:
    """Return the summary as Markdown.

    Raises
    ------
    ConfigError
        For no trials, and for a table of trials that lacks a column.
    """
    trials = by_number(facts.trials)
    unit = f" ({escaped(facts.unit)})" if facts.unit else ""
    value = f"{escaped(facts.metric)}{unit}"
    parts = [
        f"# {escaped(facts.name)}: search",
        f"**{search_verdict(facts)}**",
        escaped(facts.test),
        "## The best of each model",
        f"{value}{', ' + escaped(facts.folds) if facts.folds else ''}; lower is better. * marks a simple baseline.",
        _class_table(trials, facts.baselines, value),
        *_best_trials(trials, value),
        "## Which parameters matter",
        _importance_section(trials, facts.importances),
        *_failures(trials),
        "## Trials and time",
        _time_table(trials),
        *(["## Pictures"] if facts.pictures else []),
        *(f"![{name}]({name})\n\n`{name}`: {text}" for name, text in facts.pictures.items()),
        *(["## Notes", "\n".join(f"- {escaped(note)}" for note in facts.notes)] if facts.notes else []),
        "## How to repeat it",
        _how_to_repeat(facts),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


# -------------------------------------------------------------------- verdict
def search_verdict(facts: SearchFacts) -> str:
    """Say in words which trial is best and how it stands beside the best simple baseline."""
    trials = by_number(facts.trials)
    done, metric = finished(trials), escaped(facts.metric)
    unit = f" {escaped(facts.unit)}" if facts.unit else ""
    if not len(done):
        reason = _commonest(trials["error"])
        text = f"No trial has a value: {counted(outcomes(trials))}."
        return f"{text} Commonest error: {reason[0]}." if reason else text
    best = done.iloc[int(done["value"].to_numpy(dtype=np.float64).argmin())]
    found, model = float(best["value"]), escaped(best["model"])
    where = f"trial {best['number']} of {len(trials)}" if len(trials) > 1 else "the only trial"
    text = f"Best: {model}, {where}, {metric} {number(found)}{unit}"
    known = {name: float(v) for name, v in facts.baselines.items() if math.isfinite(v)}
    if known:
        name = min(known, key=lambda key: known[key])
        if found >= known[name]:
            text = f"No searched model beats the best simple baseline. {text}"
        text += f"; {_beside(found, known[name])} the best simple baseline, {escaped(name)} ({number(known[name])})"
    if len(done) > 1:
        text += f". Chosen as the best of {len(done)} on the same folds, it looks better than it will on new data"
    return f"{text}."


def _beside(found: float, baseline: float) -> str:
    if found == baseline:
        return "the same as"
    how = "better than" if found < baseline else "worse than"
    if baseline > 0:
        share = abs(found / baseline - 1)
        return f"{'less than 0.1 %' if share < 0.001 else f'{100 * share:.1f} %'} {how}"
    return f"by {number(abs(found - baseline))} {how}"


# -------------------------------------------------------------------- tables
def _class_table(trials: pd.DataFrame, baselines: Mapping[str, float], value: str) -> str:
    """One row per model and baseline, best first; those without a value last."""
    finite = [v for v in baselines.values() if math.isfinite(v)]
    against = min(finite) if finite else math.nan
    rows: list[tuple[float, list[str]]] = []
    for model in dict.fromkeys(trials["model"]):
        own, done = trials[trials["model"] == model], finished(trials, model)
        at = int(done["value"].to_numpy(dtype=np.float64).argmin()) if len(done) else None
        best = math.nan if at is None else float(done["value"].iloc[at])
        which = "–" if at is None else str(done["number"].iloc[at])
        cells = [escaped(model), number(best), _relative(best, against), f"{len(done)} of {len(own)}", which]
        rows.append((best, cells))
    for name, own_value in baselines.items():
        cells = [f"{escaped(name)} *", number(own_value), _relative(own_value, against), "–", "–"]
        rows.append((own_value, cells))
    rows.sort(key=lambda row: row[0] if math.isfinite(row[0]) else math.inf)
    head = ["model", value, "against the best baseline", "finished trials", "best trial"]
    return markdown(head, [cells for _, cells in rows])


def _relative(value: float, against: float) -> str:
    return f"{value / against - 1:+.1%}" if math.isfinite(value) and against > 0 else "–"


def _best_trials(trials: pd.DataFrame, value: str) -> list[str]:
    done = finished(trials)
    if not len(done):
        return []
    first = done.sort_values(["value", "number"], kind="stable").head(SHOWN_TRIALS)
    names = {model: parameters(trials, model) for model in dict.fromkeys(first["model"])}
    rows = [
        [
            f"{line['number']} {escaped(line['model'])}",
            number(line["value"]),
            number(line["seconds"]),
            "–" if missing(line["seed"]) else shown_cell(line["seed"]),
            _settings({name: line[name] for name in names[line["model"]]}),
        ]
        for line in first.to_dict("records")
    ]
    n = len(rows)
    title = "## The best trial" if n == 1 else f"## The {n} best trials" if n < len(done) else "## Trials, best first"
    return [title, markdown(["trial", value, "seconds", "seed", "parameters"], rows)]


def _settings(values: Mapping[str, Any]) -> str:
    given = [f"{escaped(name)} {escaped(shown_cell(v))}" for name, v in values.items() if not missing(v)]
    return ", ".join(given) or "–"


def _time_table(trials: pd.DataFrame) -> str:
    how, seconds = outcomes(trials), trials["seconds"].to_numpy(dtype=np.float64)
    kinds = [*OUTCOMES, *sorted(set(how) - set(OUTCOMES))]
    kinds = [kind for kind in kinds if kind == OUTCOMES[0] or (how == kind).any()]
    models = trials["model"].to_numpy(dtype=object)
    total = float(np.nansum(seconds))
    rows = []
    for model in dict.fromkeys(models):
        own = models == model
        took = float(np.nansum(seconds[own]))
        each = seconds[own & (how == OUTCOMES[0]) & np.isfinite(seconds)]
        counts = [str(int((own & (how == kind)).sum())) for kind in kinds]
        share = f"{took / total:.0%}" if total > 0 else "–"
        median = duration(float(np.median(each))) if len(each) else "–"
        rows.append([escaped(model), str(int(own.sum())), *counts, duration(took), share, median])
    head = ["model", "trials", *map(escaped, kinds), "time", "share of time", "median of a finished trial"]
    return markdown(head, rows)


# -------------------------------------------------------------------- failures
def _failures(trials: pd.DataFrame) -> list[str]:
    bad = trials[np.isin(outcomes(trials), ["failed", "without a finite value"])]
    if not len(bad):
        return []
    rows = []
    for model in dict.fromkeys(bad["model"]):
        own = bad[bad["model"] == model]
        reason = _commonest(own["error"])
        rows.append([
            escaped(model), str(len(own)), *((str(reason[1]), reason[0]) if reason else ("–", "no error was recorded")),
        ])  # fmt: skip
    words = f"{len(bad)} of {len(trials)} trials ended without a value. The table of trials holds every error."
    return ["## Failures", words, markdown(["model", "failed", "commonest error: times", "what it says"], rows)]


def _commonest(errors: Iterable[Any]) -> tuple[str, int] | None:
    """The most frequent error, escaped and short, and how often it occurs; the earliest of equally frequent ones."""
    counts = Counter(_one_line(str(error)) for error in errors if not missing(error) and str(error).strip())
    if not counts:
        return None
    text, times = counts.most_common(1)[0]
    return escaped(text.rstrip(".")), times


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_ERROR else text[: LONGEST_ERROR - 1] + "…"


# -------------------------------------------------------------------- importances
def _importance_section(trials: pd.DataFrame, importances: Mapping[str, Mapping[str, float]]) -> str:
    models = list(dict.fromkeys(trials["model"]))
    lines = [f"- **{escaped(m)}**: {importance_words(trials, m, importances.get(m, {}))}." for m in models]
    return (
        "Shares of the differences between the finished trials of a model that go with each parameter. A search tries "
        "good regions more often, so that these are hints and no tests.\n\n" + "\n".join(lines)
    )


def importance_words(trials: pd.DataFrame, model: str, importances: Mapping[str, float]) -> str:
    """Say which parameters of a model stand out, and which values did better.

    A parameter is named when its share is at least :data:`STANDS_OUT` times an even one. Its direction is named when
    the rank correlation of parameter and value (Spearman) is at least :data:`CLEAR`.
    """
    done, names = finished(trials, model), parameters(trials, model)
    if not names:
        return "no parameter was searched"
    if len(done) < ENOUGH:
        return f"no clear pattern can be told from {phrase('finished trial', len(done))}"
    known = {name: float(v) for name, v in importances.items() if math.isfinite(v) and v > 0}
    values = done["value"].to_numpy(dtype=np.float64)
    if not known or values.min() == values.max():
        return "no clear pattern"
    if len(names) == 1:
        found = _direction(done, names[0])
        return f"{escaped(names[0])} alone was searched; {found or 'no clear pattern'}"
    total, even = sum(known.values()), 1 / len(names)
    order = sorted(known, key=lambda name: (-known[name], name))
    leading = [name for name in order if known[name] / total >= STANDS_OUT * even][:3]
    if not leading:
        return "no clear pattern: no parameter stands out"
    words = []
    for name in leading:
        found = _direction(done, name) if name in done.columns else ""
        words.append(f"{escaped(name)} ({known[name] / total:.0%}{'; ' + found if found else ''})")
    return ", ".join(words)


def _direction(done: pd.DataFrame, name: str) -> str:
    """Say which values of a parameter went with lower values of the trials; "" where that is not clear."""
    column = done[name]
    seen = np.array([not missing(cell) for cell in column])
    scale = scale_of(name, column[seen], log=False)
    values = done["value"][seen].reset_index(drop=True)
    if all(map(is_number, column[seen])):
        places = pd.Series(scale.values)
        if places.nunique() < 2 or values.nunique() < 2 or len(values) < ENOUGH:
            return ""
        rank = float(places.rank().corr(values.rank()))
        if abs(rank) < CLEAR:
            return ""
        return f"{'larger' if rank < 0 else 'smaller'} did better, rank correlation {rank:+.2f}"
    if len(scale.choices) < 2:
        return ""
    middles = [float(values[scale.values == k].median()) for k in range(len(scale.choices))]
    return f"best median with {escaped(scale.choices[int(np.argmin(middles))])}"


# -------------------------------------------------------------------- repeating
def _how_to_repeat(facts: SearchFacts) -> str:
    lines = [f"`{without_password(facts.command)}` repeats it."]
    if facts.storage:
        place = without_password(facts.storage)
        lines.append(f"The study lies in `{place}`; with it, the same command goes on where the search ended.")
    if math.isfinite(facts.seconds):
        lines.append(f"{duration(facts.seconds)} in all.")
    for what, values in (("Settings", facts.settings), ("Versions", facts.versions)):
        given = ", ".join(f"{escaped(k)} {escaped(v)}" for k, v in values.items() if v is not None)
        lines += [f"{what}: {given}."] if given else []
    return " ".join(lines)


def without_password(text: str) -> str:
    """Return text with the password of a database's address blacked out: a summary is read by others."""
    return re.sub(r"(://[^\s:/@]*):[^\s@]+@", r"\1:***@", text)


def escaped(text: object) -> str:
    """Return text that Markdown shows letter by letter, in a table too."""
    line = " ".join(str(text).split())
    line = re.sub(r"([\\`*\[\]<>|])", r"\\\1", line)
    # Inside a word Markdown leaves an underscore alone, and names stay readable in the file.
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", line)
