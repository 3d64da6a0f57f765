"""The page of a model that is watched: the verdict, what speaks for a change, forecasts beside what came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foretide.forecasters.drawn import forecast_picture
from foretide.pictures.picture import Axis, Line, Mark, Picture, Rule
from foretide.report.section import Column, Report, Section, Table
from foretide.text import number

if TYPE_CHECKING:
    import pandas as pd

    from foretide.evaluation.monitor.report import MonitorReport

MOST_SERIES = 6
_CHECKS = {
    "name": Column("looked at", kind="text"),
    "text": Column("found", kind="text"),
    "p": Column("p", "probability of a figure as extreme where nothing has changed, by itself", "p"),
    "adjusted": Column("p, adjusted", "the same in the light of all checks of its kind", "p"),
    "alarm": Column("alarm", kind="text"),
}
_FIGURES = {
    "values": Column("values", "truths that came", "whole"),
    "mae": Column("MAE", "mean absolute error"),
    "stated_mae": Column("stated MAE", "what the model's own distributions lead to expect"),
    "ratio": Column("ratio", "MAE over stated MAE"),
    "baseline_mae": Column("seasonal MAE", "of a simple seasonal forecast of the same rows"),
    "coverage_80": Column("in 80 %", "share of truths in the 80 % interval", "share"),
    "coverage_95": Column("in 95 %", "share of truths in the 95 % interval", "share"),
    "p": Column("p", "adjusted for the number of series", "p"),
}


def report_of_monitor(found: MonitorReport) -> Report:
    """Return the page of what monitoring found.

    Parameters
    ----------
    found : MonitorReport

    Returns
    -------
    Report
    """
    facts = [check.text + "." for check in found.alarms]
    summary = Section("summary", "Summary", [found.headline(), *found.sentences()], [*facts, *found.notes])
    sections = [summary, *([] if found.judged is None else _forecasts(found)), _checks(found)]
    return Report(found.model, "monitor", [section for section in sections if section is not None])


def _checks(found: MonitorReport) -> Section | None:
    frame = found.to_frame()
    if not len(frame):
        return None
    order = frame["adjusted"].fillna(2.0) - 3 * frame["alarm"]
    frame = frame.iloc[order.argsort(kind="stable")]
    frame = frame.assign(alarm=frame["alarm"].map({True: "yes", False: ""}))
    caption = "Every check, those that speak for a change first."
    return Section("checks", "Checks", tables=[Table.of("checks", caption, frame, _CHECKS, of="checks")])


def _forecasts(found: MonitorReport) -> list[Section]:
    judged = found.judged
    assert judged is not None
    series, origins = judged.series, judged.origins
    worst = [str(name) for name in series["series"].head(MOST_SERIES)]
    pictures = [forecast_picture([judged.forecast], worst, None, None, MOST_SERIES), *_by_origin(found, origins)]
    tables = [
        Table.of("series", "By series, the one that is off most first.", series,
                 {"series": Column("series", kind="text"), **_FIGURES}, of="series"),
        Table.of("origins", "By origin.", origins, {"cutoff": Column("origin", kind="time"), **_FIGURES}, of="origins"),
    ]  # fmt: skip
    return [Section("forecasts", "Forecasts beside what came", pictures=pictures, tables=tables)]


def _by_origin(found: MonitorReport, origins: pd.DataFrame) -> list[Picture]:
    """Draw coverage and errors by origin."""
    if len(origins) < 2:
        return []
    x = [str(time) for time in origins["cutoff"]]
    lines: list[Mark] = [Line.nth(0, found.model, x, origins["mae"].to_numpy(float))]
    for k, (name, said) in enumerate({"stated_mae": "as stated", "baseline_mae": "simple seasonal"}.items(), start=1):
        if name in origins:
            lines.append(Line.nth(k, said, x, origins[name].to_numpy(float)))
    caption = f"Mean absolute error by origin; over all origins {number(found.figures['mae'])}."
    at = Axis("origin", "time" if hasattr(origins["cutoff"].iloc[0], "year") else "linear")
    made = [Picture.one("errors", "Errors by origin", caption, lines, at, Axis("mean absolute error", from_zero=True))]
    levels = [name for name in ("coverage_80", "coverage_95") if name in origins]
    if levels:
        drawn: list[Mark] = [
            Line.nth(k, f"{name[-2:]} % interval", x, 100 * origins[name].to_numpy(float))
            for k, name in enumerate(levels)
        ]
        caption = "Share of truths in the intervals by origin; the dotted lines are the stated levels."
        drawn += [Rule(float(name[-2:])) for name in levels]
        made.append(
            Picture.one(
                "coverage", "Coverage by origin", caption, drawn, at, Axis("truths in the interval, %", low=0, high=101)
            )
        )
    return made
