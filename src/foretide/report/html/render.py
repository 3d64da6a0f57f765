"""A page of sections: one copy of plotly.js, data as JSON, and a content policy that names its own scripts."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from foretide.report.html.chart import Chart
from foretide.report.html.escape import script_json
from foretide.report.html.tables import Table

LIBRARY = "plotly-cartesian.min.js.gz"
"""plotly.js with the traces that a plane needs; see ``vendor/README.md``."""


@dataclass
class Section:
    """One part of the page: text, lists, tables, pictures, a file letter by letter; ``special``: pickers of its own."""

    id: str
    title: str
    text: Sequence[str] = ()
    lines: Sequence[str] = ()
    tables: Sequence[Table] = ()
    charts: Sequence[Chart] = ()
    special: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    pre: str = ""
    pre_name: str = "settings.yaml"


def render(
    sections: Sequence[Section], *, name: str, kind: str, status: str = "", data: Mapping[str, Any] | None = None
) -> str:
    """Return a page as HTML.

    Parameters
    ----------
    sections : sequence of Section
    name : str
        The heading.
    kind : str
        What it is a report of: run, backtest, search.
    status : str
        What is to be known first; may be empty.
    data : mapping, optional
        What the scripts of special sections read beside the sections' own data.

    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    drawn = [chart for section in sections for chart in section.charts]
    known = {
        "name": name, **(data or {}), "charts": {chart.id: chart.as_json() for chart in drawn},
        **{section.special: section.data for section in sections if section.special},
    }  # fmt: skip
    packed, script = _vendored(LIBRARY), _safe(_file("page.js"))
    library = gzip.decompress(packed).decode("utf-8")
    environment = Environment(
        loader=PackageLoader("foretide.report.html", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("page.html").render(
        name=name, kind=kind, sections=sections, status=status, policy=policy([library, script]),
        style=_file("page.css"), script=script, data=script_json(known),
        library=base64.b64encode(packed).decode("ascii"),
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
    """Return a script that cannot end its own element, with line ends as the browser hashes them."""
    return script.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _file(name: str) -> str:
    return (resources.files("foretide.report.html") / "templates" / name).read_text(encoding="utf-8")


def _vendored(name: str) -> bytes:
    return (resources.files("foretide.report.html") / "vendor" / name).read_bytes()
