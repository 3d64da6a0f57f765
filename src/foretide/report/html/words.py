"""Text of the page that is not in a picture's caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from foretide.report.html.content import Content
from foretide.report.html.tables import Cell, Table
from foretide.report.summary import WRAPPED
from foretide.text import unit_of


def lead(content: Content) -> list[str]:
    """Return the verdict against the best baseline and what it rests on."""
    facts = content.facts
    said = [str(facts["verdict"])]
    if content.backtest:
        folds = facts["folds"]
        many = "fits" if folds["fits"] > 1 else "fit"
        said.append(
            f"{folds['n']} folds of {facts['h']} {content.steps}, cutoffs every {folds['step']} {content.steps} from "
            f"{folds['first_cutoff']} to {folds['last_cutoff']}; {folds['fits']} {many} per model; {facts['windows']} "
            f"windows of {facts['series']} series, the same for all models."
        )
        return said
    said.append(
        f"{facts['windows']} windows of {facts['h']} {content.steps}, the same for all models. One split and one "
        "test part: a difference of a few percent may be chance."
    )
    return said


def data_lines(content: Content) -> list[str]:
    """Return the panel's size, roles and parts, and the notes of the scores."""
    data, parts = content.facts["data"], content.facts.get("parts")
    many = "entity" if data["entities"] == 1 else "entities"
    one = unit_of(data["freq"], plural=False)
    lines = [f"{data['entities']} {many}, {data['rows']} rows, one step is one {one}"]
    roles = (("Forecast", "targets"), ("Known up to the cutoff", "past"), ("Known ahead", "future"))
    lines += [f"{what}: {', '.join(data[key])}" for what, key in roles if data[key]]
    if parts:
        when = f"Training from {parts['start']} to {parts['train_until']}, validation to {parts['val_until']}, "
        when = "Every series has parts of its own: " if parts.get("own") else when
        lines.append(f"{when}test to {parts['test_until']}; models saw training and validation only")
    if data.get("missing_cells"):
        lines.append(f"{data['missing_cells']} missing cells, masked")
    return [*lines, *(f"Note: {note}" for note in content.facts["notes"])]


def forecast_words(data: Mapping[str, Any], models: Sequence[str], steps: str) -> list[str]:
    """Say what can be picked and what was left out."""
    shown, total = len(data["series"]), data["total"]
    which = (
        f"All {total} series"
        if shown == total
        else f"{shown} of {total} series, spread evenly from the least to the largest error of {models[0]},"
    )
    if total == 1:
        which = "The one series"
    said = (
        f"{which} of the part that models were tested on, for {', '.join(models)}. “One after the other” shows whole "
        f"windows that do not overlap, each drawn from its cutoff on; the other views show every forecast made so many "
        f"{steps} ahead."
    )
    if data["cut"]:
        said += " Of long series only the newest points are shown."
    return [said]


def model_rows(content: Content) -> Table:
    """Return a row per model: its class and settings."""
    rows = []
    for name, about in content.facts["models"].items():
        kind, settings = about["class"], about["settings"]
        if kind in WRAPPED:
            ((inner, settings),) = settings["model"].items()
            kind = f"{inner} with {WRAPPED[kind]}"
        given = ", ".join(f"{k} {v}" for k, v in settings.items() if v is not None and k != "alias")
        rows.append([Cell(name), Cell(kind), Cell("yes" if about["baseline"] else "no"), Cell(given)])
    head = [("model", ""), ("class", ""), ("baseline", "skill is stated against the best of these"), ("settings", "")]
    return Table("models-table", "What each model is.", head, rows)
