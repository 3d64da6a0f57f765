"""What ``foretide explain`` found, as sections of the page: sentences first, then the pictures they were made from."""

from __future__ import annotations

from collections.abc import Sequence

from foretide.report.html import tables
from foretide.report.html.belief_charts import belief_charts
from foretide.report.html.chart import Chart
from foretide.report.html.content import Content, Explained
from foretide.report.html.input_charts import input_chart
from foretide.report.html.latent_charts import latent_charts
from foretide.report.html.render import Section
from foretide.report.html.tables import Table

SECTIONS = {
    "Attention": ("belief", "What attention says"),
    "Latent state": ("latent", "Latent dynamics"),
    "Inputs": ("inputs", "Inputs"),
}
"""Subject -> identity and title of its section, in this order."""
TABLES = {
    "heads": "What each head of {model} looks at: shares of the weight, entropy in nats, largest lag and distance.",
    "regimes": "{model} inside and outside event windows; intervals of the difference, corrected for their number.",
    "modes": "Modes of {model}'s latent state, half-lives and periods in steps.",
    "target_effects": "How far shocks to all latents of {model} together move each forecast, at the step where most: "
    "in original units, and of the mean forecast.",
    "inputs": "What {model}'s error grows by when an input is replaced; p (Holm) is corrected for their number.",
}
"""Table -> its caption, for those that the page shows as such."""
ABOUT = ("n_inside", "n_outside", "level", "events", "metric", "loss")
"""Columns that say the same in every row; captions tell them."""


def explained_sections(content: Content) -> list[Section]:
    """Return a section for every subject that something was found about."""
    found = []
    for subject, (identity, title) in SECTIONS.items():
        parts = [part for part in content.explained if part.subject == subject]
        if parts:
            found.append(_section(identity, title, parts, content))
    return found


def _section(identity: str, title: str, parts: Sequence[Explained], content: Content) -> Section:
    several = len({part.model for part in parts}) > 1
    lines = [f"{part.model}: {said}" if several else said for part in parts for said in part.sentences]
    drawn: list[Chart] = []
    shown: list[Table] = []
    for k, part in enumerate(parts):
        drawn += _charts(k, part, content.steps, len(parts))
        for name, caption in TABLES.items():
            if name in part.tables and len(part.tables[name]):
                table = part.tables[name].drop(columns=[c for c in ABOUT if c in part.tables[name]])
                shown.append(tables.frame_table(f"{name}-{k}", _caption(caption, part.model, len(table)), table))
    return Section(identity, title, lines=lines, charts=drawn, tables=shown)


def _charts(place: int, part: Explained, steps: str, models: int) -> list[Chart]:
    if part.subject == "Attention":
        return belief_charts(place, part.model, part.tables, steps)
    if part.subject == "Latent state":
        return latent_charts(place, part.model, part.tables, steps, models=models)
    chart = input_chart(f"chart-inputs-{place}", part.model, part.tables["inputs"]) if "inputs" in part.tables else None
    return [] if chart is None else [chart]


def _caption(caption: str, model: str, rows: int) -> str:
    cut = f" The first {tables.MOST_ROWS} of {rows}." if rows > tables.MOST_ROWS else ""
    return caption.format(model=model) + cut
