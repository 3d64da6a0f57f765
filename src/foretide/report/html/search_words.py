"""Texts of a search's page that stand in no picture."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from foretide.report.html.escape import plot_text
from foretide.report.search_summary import duration, without_password
from foretide.report.search_trials import counted, missing, outcomes, shown_cell

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
    many = f"{len(trials)} trial{'s' if len(trials) > 1 else ''} of {len(content.ranked)} "
    many += f"model{'s' if len(content.ranked) > 1 else ''}"
    lines = [f"{many}: {counted(outcomes(trials))}"]
    folds = (content.about.get("folds") or {}).get("folds") or []
    if folds:
        first, last = (str(folds[k]["time"]).removesuffix(" 00:00:00") for k in (0, -1))
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
    line = " ".join(str(text).split())
    return plot_text(line if len(line) <= most else f"{line[: most - 1]}…")


def unescaped(text: str) -> str:
    r"""Undo :func:`foretide.report.search_summary.escaped`: Markdown's ``a\|b`` is ``a|b`` on the page."""
    return re.sub(r"\\([\\`*\[\]<>|_])", r"\1", text)
