"""Tables of a search's page."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.report.html.search_words import told
from foretide.report.html.tables import MEANING, MORE, Cell, Table, cell
from foretide.report.search_trials import FINISHED, NOT_FINITE, is_number, missing, outcomes, parameters
from foretide.report.summary import shown_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from foretide.report.html.search_content import SearchContent

MOST_TRIALS = 300
MOST_ERRORS = 50
LONGEST_ERROR = 500


def search_board(content: SearchContent) -> Table:
    """Return the best trial of every model beside the simple baselines."""
    metric = str(content.facts["metric"])
    board = content.leaderboard
    shown = {
        metric: (metric.replace("_", " "), f"{MEANING.get(metric, 'the value of a trial')}, on the inner folds"),
        "skill_vs_best_baseline": ("skill vs best baseline", MEANING["skill_vs_best_baseline"]),
        "trials": ("trials", "that ended by themselves: finished, pruned or failed"),
        "seconds": ("seconds", "of all its trials"),
        "number": ("best trial", "its number in the table of trials"),
    }
    columns = [name for name in shown if name in board.columns]
    rows = [
        [Cell(str(line["model"])), Cell(str(line["kind"])), *(_figure(name, line[name]) for name in columns)]
        for line in board.to_dict("records")
    ]
    caption = (
        f"The search: the best trial of each model beside the simple baselines, all on the same inner folds, least "
        f"{content.metric} first. Each model's figure is the best of its trials, which flatters it."
    )
    return Table("leaderboard", caption, [("model", ""), ("kind", ""), *(shown[name] for name in columns)], rows)


def judged_board(content: SearchContent) -> Table | None:
    """Return the leaderboard of the test part; None where there is none."""
    board = content.test_board
    if board is None:
        return None
    wanted = (*shown_columns(content.facts), *MORE)
    columns = [c for c in wanted if c in board.columns and board[c].notna().any()]
    head = [("model", ""), ("kind", ""), *((c.replace("_", " "), MEANING.get(c, "")) for c in columns)]
    rows = [
        [Cell(str(line["model"])), Cell(str(line["kind"])), *(cell(str(c), line[c]) for c in columns)]
        for line in board.to_dict("records")
    ]
    caption = (
        "The test part, which no trial has seen: the model that was chosen, refitted, beside the settings its class "
        "begins with and the baselines, least main error first."
    )
    return Table("test-leaderboard", caption, head, rows)


def trials_table(content: SearchContent) -> Table:
    """Return every trial, best first; of many the best, and those without a value as far as there is room."""
    trials, metric = content.trials, content.metric
    how = dict(zip(trials.index, outcomes(trials), strict=True))
    order = trials.assign(shown=[v if how[k] == FINISHED else np.nan for k, v in trials["value"].items()])
    part = order.sort_values(["shown", "number"], kind="stable").head(MOST_TRIALS)
    own = {model: parameters(trials, model) for model in content.ranked}
    names = list(dict.fromkeys(name for found in own.values() for name in found))
    head = [
        ("trial", "its number, in order of its start"), ("model", ""), ("state", "how it ended"),
        (metric.lower().replace("_", " "), "on the inner folds; lower is better"),
        ("seconds", ""), ("seed", ""), *((name, "") for name in names),
    ]  # fmt: skip
    rows = [
        [
            _number(line["number"]), Cell(str(line["model"])), Cell(str(how[index])), _figure("value", line["shown"]),
            _figure("seconds", line["seconds"]), _number(line["seed"]),
            *(setting(line[name], name in own[line["model"]]) for name in names),
        ]
        for index, line in zip(part.index, part.to_dict("records"), strict=True)
    ]  # fmt: skip
    cut = f" The {len(part)} best of {len(trials)} trials; `trials.csv` holds all." if len(part) < len(trials) else ""
    return Table("trials", f"Every trial with its settings, best first.{cut}".replace("`", ""), head, rows)


def failure_table(content: SearchContent) -> Table | None:
    """Return what went wrong, a row for each error of each model; None where nothing did."""
    trials, how = content.trials, outcomes(content.trials)
    bad = trials[np.isin(how, ["failed", NOT_FINITE])]
    if not len(bad):
        return None
    said = [" ".join(str(e).split()) if not missing(e) and str(e).strip() else "" for e in bad["error"]]
    keys = list(zip(map(str, bad["model"]), said, strict=True))
    first: dict[tuple[str, str], Any] = {}
    for key, number in zip(keys, bad["number"], strict=True):
        first.setdefault(key, number)
    counts = Counter(keys).most_common()
    rows = [
        [Cell(model), _number(times), _number(first[model, error]), Cell(_error(error))]
        for (model, error), times in counts[:MOST_ERRORS]
    ]
    cut = f" The commonest {MOST_ERRORS} of {len(counts)} errors." if len(counts) > MOST_ERRORS else ""
    caption = f"Errors of {len(bad)} trials, commonest first.{cut}"
    head = [("model", ""), ("trials", "with this error"), ("first", "number of the first of them"), ("error", "")]
    return Table("failures", caption, head, rows)


def best_table(content: SearchContent) -> Table | None:
    """Return the settings of the best trial beside those of its model's first trial; None where there is none."""
    best = content.facts.get("best")
    if not best or not best["settings"]:
        return None
    own = content.trials[content.trials["model"] == best["model"]]
    begun = own.iloc[0] if len(own) else {}
    spaces = content.spaces.get(best["model"], {})
    rows = [
        [
            Cell(name), setting(_listed(value), True), setting(begun.get(name), True),
            Cell(space_words(spaces.get(name, {}))),
        ]
        for name, value in best["settings"].items()
    ]  # fmt: skip
    head = [
        ("setting", ""), ("best", f"of trial {best['number']}"), ("first", "of the model's first trial: its defaults"),
        ("chosen from", "what the search could try"),
    ]  # fmt: skip
    return Table("best", f"Settings of trial {best['number']}, {best['model']}.", head, rows)


def space_table(content: SearchContent) -> Table | None:
    """Return what every setting of every model was chosen from; None where nothing was searched."""
    rows = [
        [Cell(model), Cell(name), Cell(space_words(entry))]
        for model, space in content.spaces.items()
        for name, entry in space.items()
    ]
    head = [("model", ""), ("setting", ""), ("chosen from", "")]
    return Table("spaces", "What was searched.", head, rows) if rows else None


def space_words(entry: Mapping[str, Any]) -> str:
    """Say what a setting was chosen from."""
    if "choice" in entry:
        return ", ".join(told(option) for option in entry["choice"])
    for kind, word in (("float", ""), ("int", "whole numbers ")):
        if kind in entry:
            low, high = entry[kind]
            return f"{word}{told(low)} to {told(high)}{', evenly in the logarithm' if entry.get('log') else ''}"
    return "–"


def setting(value: Any, searched: bool) -> Cell:
    """Return a setting's value, numbers to be sorted as numbers; a dash where the model does not have the setting."""
    if missing(value) and not searched:
        return Cell("–")
    return Cell(told(value), float(value) if is_number(value) else None)


def _listed(value: Any) -> Any:
    """JSON has lists where a setting is a tuple; they are shown as the table of trials shows them."""
    return tuple(value) if isinstance(value, list) else value


def _number(value: Any) -> Cell:
    return Cell("–") if missing(value) else Cell(str(int(value)), float(value))


def _figure(column: str, value: Any) -> Cell:
    return Cell("–") if missing(value) else cell(column, float(value))


def _error(text: str) -> str:
    if not text:
        return "no error was recorded"
    return text if len(text) <= LONGEST_ERROR else f"{text[: LONGEST_ERROR - 1]}…"
