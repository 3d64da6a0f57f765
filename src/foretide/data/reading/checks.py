"""What is in a frame: roles guessed, frequency, seasons, and every problem at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

from foretide.data.panel import Panel
from foretide.data.reading.frames import columns_of_index, join_ids, open_frame
from foretide.data.reading.guess import guess_roles
from foretide.data.reading.panels import panel_of, with_origin
from foretide.data.reading.problems import DataWarning, Problem, Report, raise_errors
from foretide.data.reading.roles import Options
from foretide.data.reading.survey import survey
from foretide.data.reading.upright import stand_up
from foretide.data.tables.reader import read_table

__all__ = ["DataWarning", "Problem", "Report", "examine", "inspect", "raise_errors"]


def inspect(
    data: Any,
    *,
    id: str | Sequence[str] | None = None,
    time: str | None = None,
    target: str | Sequence[str] | None = None,
    past: str | Sequence[str] | None = None,
    future: str | Sequence[str] | None = None,
    static: str | Sequence[str] | None = None,
    **options: Any,
) -> Report:
    """Look at a frame or file and return what is in it and what is wrong, without raising for problems of the data.

    Parameters
    ----------
    data : pandas or polars data frame, or path of a CSV or Parquet file
    id, time, target, past, future, static : str or sequence of str, optional
        Roles; those not given are guessed, and a note says so. An empty one is given.
    **options
        As in :func:`foretide.data.reading.panels.from_frame`, and for files as in
        :func:`foretide.data.reading.panels.read`.

    Returns
    -------
    Report
    """
    roles = {"id": id, "time": time, "target": target, "past": past, "future": future, "static": static}
    return examine(data, roles, **options)[0]


def examine(data: Any, roles: dict[str, Any], **options: Any) -> tuple[Report, Panel | None]:
    """Return what :func:`inspect` does, and the panel where there is no error."""
    checked, file = Options(**options).checked(), None
    time, given = roles.get("time"), {role: _names(names) for role, names in roles.items() if role != "time"}
    ids = given["id"] or ("unique_id",)
    if isinstance(data, (str, PathLike)):
        file = read_table(data, text=ids if time is None else (*ids, time), given=checked.form)
        data, checked = file.frame, replace(checked, sep=file.origin.form.sep)
    data = columns_of_index(data, time, ids, None)
    target = (given["target"] or ("y",))[0]
    data, steps = stand_up(data, time or "ds", target)
    guess = guess_roles(open_frame(data), time=time, melt=checked.melt, form=checked.form, **given)
    if file is not None:  # as Panel.read does: names and times keep their text
        data = columns_of_index(file.with_text((*guess.ids, guess.roles.time)).frame, time, ids, None)
        data, _ = stand_up(data, guess.roles.time, target)
    one_id = guess.ids[0] if guess.ids else None
    if len(guess.ids) > 1:
        data, one_id = join_ids(data, guess.ids)
    found = survey(data, replace(guess.roles, id=one_id), replace(checked, melt=guess.melt))
    named = {*guess.ids, *(name for _, name in guess.roles.named())}
    found.problems += guess.notes
    if steps:
        text = (
            f"Every row is a series: columns {steps[0]!r} to {steps[-1]!r} are its steps, named {guess.roles.time!r} "
        )
        found.problems.append(Problem("guess", f"{text}and {target!r} here.", severity="note"))
    if file is not None:
        doubts = [problem for name, problem in file.doubts.items() if name not in named]
        found.problems += [_beside(problem, guess.roles.target, given["target"] is not None) for problem in doubts]
    report = found.report()
    panel = panel_of(found) if report.ok else None
    if file is not None:
        form = replace(file.origin.form, time_format=found.time_format)
        report = replace(report, read=replace(file.origin, form=form).text())
        panel = with_origin(panel, file.origin) if panel is not None else None
    if guess.ids:
        report = replace(report, roles={**report.roles, "id": guess.ids})
    return report, panel


def _beside(problem: Problem, targets: tuple[str, ...], is_given: bool) -> Problem:
    """Return a problem of a column without a role: an error only where it might be the target that is meant."""
    if is_given or not targets:
        return replace(problem, severity="note" if is_given else problem.severity)
    named = targets[0] if len(targets) == 1 else list(targets)
    return replace(problem, fix=f"{problem.fix} Or do without it: target={named!r}.")


def _names(given: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    return (given,) if isinstance(given, str) else tuple(given)
