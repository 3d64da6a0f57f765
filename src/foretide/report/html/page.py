"""The page: sections, one copy of plotly.js, data as JSON, and a content policy that names its own scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from foretide.errors import MissingExtraError
from foretide.report.html import charts, tables
from foretide.report.html.attention import attention_caption, attention_data
from foretide.report.html.charts import Chart
from foretide.report.html.content import Content
from foretide.report.html.escape import plot_text, script_json
from foretide.report.html.forecasts import forecast_data, levels_of
from foretide.report.html.latent_charts import latent_error_chart, mode_chart
from foretide.report.html.tables import Table
from foretide.report.html.words import data_lines, forecast_words, lead, model_rows

MISSING = "The report as one page"


@dataclass
class Section:
    """One part of the page: text, lists, tables and pictures, in this order; ``special`` names a part with pickers."""

    id: str
    title: str
    text: Sequence[str] = ()
    lines: Sequence[str] = ()
    tables: Sequence[Table] = ()
    charts: Sequence[Chart] = ()
    special: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    pre: str = ""


def write_page(content: Content) -> str:
    """Return the page as HTML.

    Raises
    ------
    MissingExtraError
        Without plotly or jinja2.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from plotly.offline import get_plotlyjs
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "plotly", "report", MISSING) from error
    sections = [section for section in _sections(content) if section is not None]
    drawn = [chart for section in sections for chart in section.charts]
    data = {
        "name": content.name,
        "steps": content.steps,
        "unit": "counts" if content.facts["counts"] else "original units",
        "colours": {plot_text(m): [content.colour(m), content.dash(m)] for m in content.ranked},
        "charts": {chart.id: {"data": chart.data, "layout": chart.layout} for chart in drawn},
        **{section.special: section.data for section in sections if section.special},
    }
    scripts = [_safe(get_plotlyjs()), _safe(_file("page.js"))]
    environment = Environment(
        loader=PackageLoader("foretide.report.html", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("page.html").render(
        name=content.name, kind="backtest" if content.backtest else "run", sections=sections, status=content.status,
        policy=policy(scripts), style=_file("page.css"), scripts=scripts, data=script_json(data),
    )  # fmt: skip


def policy(scripts: Sequence[str]) -> str:
    """Return a content policy: nothing is fetched, and no script runs but these.

    plotly.js writes style elements while it draws and makes pictures from blobs and data, so these are allowed.
    """
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode('utf-8')).digest()).decode('ascii')}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _safe(script: str) -> str:
    """Return a script that cannot end its own element; line ends as the browser hashes them."""
    return script.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _file(name: str) -> str:
    return (resources.files("foretide.report.html") / "templates" / name).read_text(encoding="utf-8")


def _sections(content: Content) -> list[Section | None]:
    return [
        Section("summary", "Summary", lead(content)),
        Section("data", "Data", lines=data_lines(content)),
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
        *_explained(content),
        _drawn("training", "Training", charts.training_charts(content)),
        Section("models", "Models", tables=[model_rows(content)]),
        Section("settings", "Settings and versions", **_settings(content)),
    ]  # fmt: skip


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
    data = forecast_data(frame, shown, order=order)
    data["reference"] = content.baselines[0] if content.baselines else ""
    return Section("forecasts", "Forecasts", forecast_words(data, shown, content.steps), special="forecasts", data=data)


def _attention(content: Content) -> Section | None:
    data = attention_data(content.attention)
    if not data:
        return None
    words = [attention_caption(name, content.attention[name].weights, content.steps) for name in data]
    words += [
        f"{name}: {len(about['windows']) - 1} of {about['total']} kept windows can be picked, evenly spread"
        f"{', heads averaged to fit' if about['averaged'] else ''}."
        for name, about in data.items()
    ]
    words.append("Attention says what the model weights, not what causes the series.")
    return Section("attention", "Attention", words, special="attention", data=data)


def _explained(content: Content) -> list[Section]:
    if not content.explained:
        return []
    lines = [f"{subject} of {model}: {text}" for model, subject, text in content.explained]
    found = [
        tables.frame_table(f"modes-{k}", f"Modes of {model}'s latent state, half-lives and periods in steps.", frame)
        for k, (model, frame) in enumerate(content.modes.items())
    ]
    drawn = [
        *(mode_chart(f"chart-modes-{k}", *item) for k, item in enumerate(content.modes.items())),
        *(
            latent_error_chart(f"chart-latent-{k}", model, frame, content.steps)
            for k, (model, frame) in enumerate(content.latent_errors.items())
        ),
    ]
    shown = [chart for chart in drawn if chart is not None]
    return [Section("explained", "What the models say", lines=lines, tables=found, charts=shown)]


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
