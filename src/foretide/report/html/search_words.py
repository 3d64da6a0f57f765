"""Texts of a search's page that stand in no picture."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from foretide.report.html.escape import plot_text
from foretide.report.search_summary import without_password
from foretide.report.search_trials import counted, missing, outcomes, shown_cell
from foretide.text import clipped, duration, phrase, time_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from foretide.report.html.search_content import SearchContent

LONGEST = 40
"""Letters of a name or value in a picture."""


def lead(content: SearchContent) -> list[str]:
    """Return the verdict of the search beside the best baseline, and that on the test part, which no trial has seen."""
    test = str(content.facts.get("test_verdict") or "")
    return [str(content.facts["verdict"]), test or "The best model was not judged on the test part."]


def facts_lines(content: SearchContent) -> list[str]:
    """Return what the verdict rests on: trials, folds, the best settings, notes."""
    trials, facts = content.trials, content.facts
    lines = [f"{phrase('trial', len(trials))} of {phrase('model', len(content.ranked))}: {counted(outcomes(trials))}"]
    folds = (content.about.get("folds") or {}).get("folds") or []
    if folds:
        first, last = (time_text(folds[k]["time"]) for k in (0, -1))
        windows = content.about["folds"].get("windows")
        several = (
            f"{len(folds)} inner folds, cutoffs from {first} to {last}"
            if len(folds) > 1
            else f"One inner fold, cutoff {first}"
        )
        lines.append(f"{several}{f'; {windows} windows' if windows else ''}, the same for all trials and baselines")
    best = facts.get("best")
    if best:
        given = ", ".join(f"{name} {told(value)}" for name, value in best["settings"].items())
        lines.append(f"Best: trial {best['number']}, {best['model']}{f' with {given}' if given else ''}")
    return [*lines, *(f"Note: {note}" for note in facts.get("notes", []))]


def made_lines(content: SearchContent) -> list[str]:
    """Return how the search can be repeated and gone on with, how long it took, and with what it was made."""
    lines = ["Repeat it: foretide tune settings.yaml --out again"]
    if content.storage:
        place = without_password(content.storage)
        lines.append(f"The study lies in {place}; with it, the same command goes on where the search ended")
    lines.append(f"Took {duration(float(content.facts['seconds']))}")
    chosen: Mapping[str, Any] = {k: content.about.get(k) for k in ("sampler", "pruner", "seed")}
    given = ", ".join(f"{k} {v}" for k, v in chosen.items() if v is not None)
    if given:
        lines.append(f"Search: {given}")
    if content.versions:
        lines.append("Versions: " + ", ".join(f"{k} {v}" for k, v in content.versions.items()))
    return lines


def told(value: Any) -> str:
    """Return a setting's value in few letters; ``none`` where it has none."""
    return "none" if missing(value) else shown_cell(value)


def short(text: object, most: int = LONGEST) -> str:
    """Return text on one line as plotly.js shows it letter by letter; a long one loses its end."""
    return plot_text(clipped(text, most))


def unescaped(text: str) -> str:
    r"""Undo :func:`foretide.report.search_summary.escaped`: Markdown's ``a\|b`` is ``a|b`` on the page."""
    return re.sub(r"\\([\\`*\[\]<>|_])", r"\1", text)
