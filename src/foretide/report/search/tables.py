"""Tables of a search's page."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from foretide.report.run.boards import BACKTEST, KIND, NAME, board_columns, column_of
from foretide.report.section import Column, Table
from foretide.text import duration
from foretide.tuning.drawn import short, value_text
from foretide.tuning.space import Choice, Int
from foretide.tuning.trials import FINISHED, NOT_FINITE, OUTCOMES, is_number, missing, outcomes, parameters

if TYPE_CHECKING:
    from foretide.report.search.content import SearchContent
    from foretide.tuning.space import Parameter

MOST_TRIALS, MOST_IN_SUMMARY = 300, 10
MOST_ERRORS = 50
LONGEST_ERROR = 500


def search_board(content: SearchContent) -> Table:
    """Return the best trial of every model beside the simple baselines."""
    metric = str(content.facts["metric"])
    meaning = column_of(metric).meaning or "the value of a trial"
    columns = {
        "model": NAME, "kind": KIND, metric: Column(metric.replace("_", " "), f"{meaning}, on the inner folds"),
        "skill_vs_best_baseline": column_of("skill_vs_best_baseline"),
        "trials": Column("trials", "that ended by themselves: finished, pruned or failed", "whole"),
        "seconds": Column("seconds", "of all its trials"),
        "number": Column("best trial", "its number in the table of trials", "whole"),
    }  # fmt: skip
    caption = (
        "The search: the best trial of each model beside the simple baselines, all on the same inner folds, least "
        f"{content.metric} first. Each model's figure is the best of its trials, which flatters it."
    )
    return Table.of("leaderboard", caption, content.leaderboard, columns)


def judged_board(content: SearchContent) -> Table | None:
    """Return the leaderboard of the test part; None where there is none."""
    board = content.test_board
    if board is None:
        return None
    caption = (
        "The test part, which no trial has seen: the model that was chosen, refitted, beside the settings its class "
        "begins with and the baselines, least main error first."
    )
    columns = board_columns(board, counts=bool(content.facts["counts"]), more=BACKTEST)
    return Table.of("test-leaderboard", caption, board, columns)


def trials_table(content: SearchContent) -> Table:
    """Return every trial, best first; of many the best, and those without a value as far as there is room."""
    trials, metric = content.trials, content.metric
    how = outcomes(trials)
    order = trials.assign(how=how, shown=np.where(how == FINISHED, trials["value"].to_numpy(float), np.nan))
    part = order.sort_values(["shown", "number"], kind="stable").head(MOST_TRIALS)
    own = {model: parameters(trials, model) for model in content.ranked}
    names = list(dict.fromkeys(name for settings in own.values() for name in settings))
    columns = [
        Column("trial", "its number, in order of its start", "whole"), NAME, Column("state", "how it ended", "text"),
        Column(metric.lower().replace("_", " "), "on the inner folds; lower is better"), Column("seconds"),
        Column("seed", kind="whole"), *map(Column, names),
    ]  # fmt: skip
    rows = [
        [
            int(line["number"]), str(line["model"]), str(line["how"]), line["shown"], line["seconds"],
            None if missing(line["seed"]) else int(line["seed"]),
            *(setting(line[name], name in own[line["model"]]) for name in names),
        ]
        for line in part.to_dict("records")
    ]  # fmt: skip
    cut = f" The {len(part)} best of {len(trials)} trials; trials.csv holds all." if len(part) < len(trials) else ""
    return Table("trials", f"Every trial with its settings, best first.{cut}", columns, rows, MOST_IN_SUMMARY)


def time_table(content: SearchContent) -> Table:
    """Return how the trials of each model ended, and how long they took."""
    trials, how = content.trials, outcomes(content.trials)
    seconds, names = trials["seconds"].to_numpy(dtype=np.float64), trials["model"].to_numpy(dtype=object)
    kinds = [k for k in (*OUTCOMES, *sorted(set(how) - set(OUTCOMES))) if k == FINISHED or (how == k).any()]
    total, rows = float(np.nansum(seconds)), []
    for model in dict.fromkeys(names.tolist()):
        own = names == model
        took = float(np.nansum(seconds[own]))
        each = seconds[own & (how == FINISHED) & np.isfinite(seconds)]
        rows.append([
            str(model), int(own.sum()), *(int((own & (how == kind)).sum()) for kind in kinds), duration(took),
            took / total if total > 0 else None, duration(float(np.median(each))) if len(each) else None,
        ])  # fmt: skip
    columns = [
        NAME, Column("trials", kind="whole"), *(Column(kind, kind="whole") for kind in kinds),
        Column("time", kind="text"), Column("share of time", kind="share"),
        Column("median of a finished trial", kind="text"),
    ]  # fmt: skip
    return Table("times", "Trials of each model by how they ended, and their time.", columns, rows)


def failure_table(content: SearchContent) -> Table | None:
    """Return what went wrong, a row for each error of each model; None where nothing did."""
    trials = content.trials
    bad = trials[np.isin(outcomes(trials), ["failed", NOT_FINITE])]
    if not len(bad):
        return None
    said = [" ".join(str(e).split()) if not missing(e) and str(e).strip() else "" for e in bad["error"]]
    keys = list(zip(map(str, bad["model"]), said, strict=True))
    first = dict(reversed(list(zip(keys, bad["number"].tolist(), strict=True))))
    counts = Counter(keys).most_common()
    rows = [
        [model, times, first[model, error], short(error, LONGEST_ERROR) or "no error was recorded"]
        for (model, error), times in counts[:MOST_ERRORS]
    ]
    cut = f" The commonest {MOST_ERRORS} of {len(counts)} errors." if len(counts) > MOST_ERRORS else ""
    columns = [
        NAME, Column("trials", "with this error", "whole"), Column("first", "number of the first of them", "whole"),
        Column("error", kind="text"),
    ]  # fmt: skip
    return Table("failures", f"Errors of {len(bad)} trials, commonest first.{cut}", columns, rows)


def best_table(content: SearchContent) -> Table | None:
    """Return the settings of the best trial beside those of its model's first trial; None where there is none."""
    best = content.facts.get("best")
    if not best or not best["settings"]:
        return None
    own = content.trials[content.trials["model"] == best["model"]]
    begun = own.iloc[0] if len(own) else {}
    spaces = content.spaces.get(best["model"], {})
    rows = [
        # JSON has lists where a setting is a tuple; they are shown as the table of trials shows them.
        [name, setting(tuple(value) if isinstance(value, list) else value), setting(begun.get(name)),
         space_words(spaces.get(name))]
        for name, value in best["settings"].items()
    ]  # fmt: skip
    columns = [
        Column("setting", kind="text"), Column("best", f"of trial {best['number']}"),
        Column("first", "of the model's first trial: its defaults"),
        Column("chosen from", "what the search could try", "text"),
    ]  # fmt: skip
    return Table("best", f"Settings of trial {best['number']}, {best['model']}.", columns, rows)


def space_table(content: SearchContent) -> Table | None:
    """Return what every setting of every model was chosen from; None where nothing was searched."""
    rows = [
        [model, name, space_words(entry)] for model, space in content.spaces.items() for name, entry in space.items()
    ]
    columns = [NAME, Column("setting", kind="text"), Column("chosen from", kind="text")]
    return Table("spaces", "What was searched.", columns, rows) if rows else None


def space_words(entry: Parameter | None) -> str:
    """Say what a setting was chosen from."""
    if entry is None:
        return "–"
    if isinstance(entry, Choice):
        return ", ".join(value_text(option) for option in entry.options)
    word = "whole numbers " if isinstance(entry, Int) else ""
    return (
        f"{word}{value_text(entry.low)} to {value_text(entry.high)}{', evenly in the logarithm' if entry.log else ''}"
    )


def setting(value: object, searched: bool = True) -> object:
    """Return a setting's value: numbers as they are, the rest as text; nothing where the model does not have it."""
    if missing(value) and not searched:
        return None
    return value if is_number(value) else value_text(value)
