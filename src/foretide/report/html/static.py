"""The pictures of a page as files for papers: PNG, SVG or PDF, on white, by plotly's own exporter (kaleido)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from foretide.data.files import file_name, storing
from foretide.errors import ConfigError, ForetideError, MissingExtraError, StorageError, nearest
from foretide.report.html.attention import attention_views
from foretide.report.html.chart import Chart
from foretide.report.html.content import Content
from foretide.report.html.forecast_views import forecast_views
from foretide.report.html.render import Section

FORMATS = ("svg", "png", "pdf")
SIZE = (760, 460)
"""Width and height in points; PNG has three pixels to each."""
PAPER = {"@text": "#1a1a1a", "@quiet": "#707070"}
Figure = dict[str, Any]


def write_figures(
    sections: Sequence[Section], content: Content | None, folder: str | os.PathLike[str], formats: Sequence[str]
) -> list[Path]:
    """Write every picture of a page, one file per format and, of pictures with lists, per choice.

    Parameters
    ----------
    sections : sequence of Section
        Of the page.
    content : Content, optional
        Colours and units of the special sections, forecasts and attention; None where there are none.
    folder : path
        Made where it is missing; files of the same names are replaced.
    formats : sequence of {"svg", "png", "pdf"}

    Returns
    -------
    list of Path

    Raises
    ------
    ConfigError
        For a format that is not known.
    MissingExtraError
        Without kaleido.
    ForetideError
        Where no Chrome or Chromium is found, which kaleido draws with.
    """
    for name in formats:
        if name not in FORMATS:
            raise ConfigError(f"A picture can be {', '.join(FORMATS)}, not {name!r}. {nearest(name, FORMATS)}")
    try:
        import kaleido  # noqa: F401
        import plotly.io as pio
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "kaleido", "figures", "Writing pictures as files") from error
    place = Path(folder)
    with storing(place):
        place.mkdir(parents=True, exist_ok=True)
    made = named(figures_of(sections, content))
    figures = [figure for figure in made.values() for _ in formats]
    paths = [place / f"{name}.{kind}" for name in made for kind in formats]
    try:
        with storing(place, "Pictures that were written before are kept."):
            pio.write_images(figures, paths, width=SIZE[0], height=SIZE[1], scale=3)
    except StorageError:
        raise
    except Exception as error:
        if "chrome" not in f"{type(error).__name__} {error}".lower():
            raise
        raise ForetideError(
            "Pictures as files are drawn by Chrome or Chromium, and none was found. Install one (apt-get install "
            "chromium, or plotly_get_chrome), or set BROWSER_PATH to it. Every picture of the page can also be saved "
            "by the buttons above it."
        ) from error
    return paths


def named(figures: Iterable[tuple[str, Figure]]) -> dict[str, Figure]:
    """Return figures by file name; names that are the same to some file system, as "a" and "A", get a number."""
    made: dict[str, Figure] = {}
    for name, figure in figures:
        taken = {known.casefold() for known in made}
        made[name if name.casefold() not in taken else f"{name}-{len(made)}"] = figure
    return made


def figures_of(sections: Sequence[Section], content: Content | None) -> Iterator[tuple[str, Figure]]:
    """Yield a file name and a figure for every picture and choice."""
    for section in sections:
        if section.special == "forecasts" and content is not None:
            for series, data, layout in forecast_views(section.data, content):
                yield file_name(f"forecasts-{series}"), _on_paper(data, layout)
        if section.special == "attention" and content is not None:
            for name, data, layout in attention_views(section.data, content.steps):
                yield file_name(f"attention-{name}"), _on_paper(data, layout)
        for chart in section.charts:
            yield from _of_chart(chart)


def _of_chart(chart: Chart) -> Iterator[tuple[str, Figure]]:
    name = chart.id.removeprefix("chart-")
    if re.search(r"-\d+$", name):  # one of several models, which the title names
        name = re.sub(r"-\d+$", "", name) + "-" + re.sub(r"\W+", "-", chart.title.lower()).strip("-")
    if not chart.pickers:
        yield file_name(name), _on_paper(chart.data, chart.layout)
        return
    for key, view in chart.views.items():
        chosen = [p.options[int(k)] for p, k in zip(chart.pickers, key.split("/"), strict=True)]
        yield file_name("-".join([name, *chosen])), _on_paper(view.data, {**chart.layout, **view.layout})


def _on_paper(data: Sequence[Mapping[str, Any]], layout: Mapping[str, Any]) -> Figure:
    axis = {"gridcolor": "#e6e6e6", "linecolor": "#c9ced6", "zerolinecolor": "#e6e6e6", "automargin": True}
    axes = {name: {**axis, **layout.get(name, {})} for name in ("xaxis", "yaxis")}
    whole = {
        "paper_bgcolor": "#ffffff", "plot_bgcolor": "#ffffff", "template": None,
        "font": {"color": "@text", "size": 13, "family": "DejaVu Sans, Arial, sans-serif"},
        "margin": {"l": 60, "r": 16, "t": 24, "b": 50},
        "legend": {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top", "font": {"size": 12}},
        **layout, **axes,
    }  # fmt: skip
    # What waits in the legend of the page cannot be clicked on paper.
    drawn = [trace for trace in data if trace.get("visible") != "legendonly"]
    return {"data": _coloured(drawn), "layout": _coloured(whole)}


def _coloured(value: Any) -> Any:
    if isinstance(value, str):
        return PAPER.get(value, value)
    if isinstance(value, Mapping):
        return {key: _coloured(inner) for key, inner in value.items()}
    return [_coloured(inner) for inner in value] if isinstance(value, list | tuple) else value
