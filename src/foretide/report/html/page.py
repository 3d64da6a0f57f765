"""The sections of a run's or a backtest's page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from foretide.report.html import charts, tables
from foretide.report.html.attention import COLOURS, attention_caption, attention_data
from foretide.report.html.audit import audit_lines, audit_tables
from foretide.report.html.chart import Chart
from foretide.report.html.content import Content
from foretide.report.html.escape import plot_text
from foretide.report.html.explained import explained_sections
from foretide.report.html.forecasts import forecast_data, levels_of
from foretide.report.html.render import Section, render
from foretide.report.html.tables import Table
from foretide.report.html.words import data_lines, forecast_words, lead, model_rows


def write_page(content: Content) -> str:
    """Return the page as HTML."""
    return render(
        sections_of(content), name=content.name,
        kind="backtest" if content.backtest else "run", status=content.status,
        data={
            "steps": content.steps, "unit": "counts" if content.facts["counts"] else "original units",
            "weights": COLOURS, "colours": {plot_text(m): [content.colour(m), content.dash(m)] for m in content.ranked},
        },
    )  # fmt: skip


def sections_of(content: Content) -> list[Section]:
    """Return the parts of the page, those that the folder holds nothing for left out."""
    found = [
        Section("summary", "Summary", lead(content)),
        Section("data", "Data", lines=[*data_lines(content), *audit_lines(content)], tables=audit_tables(content)),
        Section("leaderboard", "Leaderboard",
                tables=_present(tables.leaderboard(content), tables.comparison_table(content))),
        _forecasts(content),
        _drawn(
            "errors", "Where the error lies", [charts.step_chart(content), charts.series_chart(content)],
            [tables.series_table(content)],
        ),
        _drawn("folds", "From fold to fold", [charts.fold_chart(content)]),
        _drawn("calibration", "Calibration", [charts.reliability_chart(content), charts.coverage_chart(content)]),
        _attention(content),
        *explained_sections(content),
        _drawn("training", "Training", charts.training_charts(content)),
        Section("models", "Models", tables=[model_rows(content)]),
        Section("settings", "Settings and versions", **_settings(content)),
    ]  # fmt: skip
    return [section for section in found if section is not None]


def _present(*parts: Table | None) -> list[Table]:
    return [part for part in parts if part is not None]


def _drawn(
    identity: str, title: str, pictures: Sequence[Chart | None], parts: Sequence[Table | None] = ()
) -> Section | None:
    kept, known = [chart for chart in pictures if chart is not None], _present(*parts)
    return Section(identity, title, tables=known, charts=kept) if kept or known else None


def _forecasts(content: Content) -> Section | None:
    frame = content.forecasts
    if frame is None or not len(frame):
        return None
    shown = [m for m in content.shown if m in frame.columns]
    if not any(levels_of(list(frame.columns), m) for m in shown):  # the best one that has intervals
        shown += [m for m in content.ranked if levels_of(list(frame.columns), m)][:1]
    order: list[str] = []
    if content.by_series is not None and shown and shown[0] in content.by_series:
        order = [str(s) for s in content.by_series.sort_values(shown[0], kind="stable").iloc[:, 0]]
    data = forecast_data(frame, shown, order=order, before=content.before)
    data["reference"] = content.baselines[0] if content.baselines else ""
    return Section("forecasts", "Forecasts", forecast_words(data, shown, content.steps), special="forecasts", data=data)


def _attention(content: Content) -> Section | None:
    data = attention_data(content.attention)
    if not data:
        return None
    words = [attention_caption(name, content.attention[name].weights, content.steps) for name in data]
    words += [
        f"{name}: {about['kept']} of {about['total']} kept windows, {content.attention[name].about}, can be picked, "
        f"evenly spread{', heads averaged to fit' if about['averaged'] else ''}."
        for name, about in data.items()
    ]
    words.append("Attention says what the model weights, not what causes the series.")
    return Section("attention", "Attention", words, special="attention", data=data)


def _settings(content: Content) -> dict[str, Any]:
    facts = content.facts
    versions = facts.get("versions") or facts.get("about", {}).get("versions", {})
    lines = [
        f"Repeat it: foretide {'backtest' if content.backtest else 'run'} settings.yaml --out again",
        f"Took {facts['seconds']:.1f} s",
        "Versions: " + ", ".join(f"{k} {v}" for k, v in versions.items()),
    ]
    threads = facts.get("threads") or {k: v for k, v in facts.get("about", {}).items() if k != "versions"}
    if threads:
        lines.append("Machine: " + ", ".join(f"{k} {v}" for k, v in threads.items() if v is not None))
    return {"lines": lines, "pre": content.settings}
