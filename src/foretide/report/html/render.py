"""A page of sections: one copy of plotly.js, data as JSON, and a content policy that names its own scripts."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from foretide.errors import MissingExtraError
from foretide.report.html.chart import Chart
from foretide.report.html.escape import script_json
from foretide.report.html.tables import Table

MISSING = "The report as one page"


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
    drawn = [chart for section in sections for chart in section.charts]
    known = {
        "name": name, **(data or {}), "charts": {chart.id: chart.as_json() for chart in drawn},
        **{section.special: section.data for section in sections if section.special},
    }  # fmt: skip
    library, script = _lines(get_plotlyjs()), _safe(_file("page.js"))
    environment = Environment(
        loader=PackageLoader("foretide.report.html", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("page.html").render(
        name=name, kind=kind, sections=sections, status=status, policy=policy([library, script]),
        style=_file("page.css"), library=packed(library), script=script, data=script_json(known),
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


def packed(script: str) -> str:
    """Return a script as base64 of its gzip, the same for the same script; a third of its length here."""
    return base64.b64encode(gzip.compress(script.encode("utf-8"), mtime=0)).decode("ascii")


def _safe(script: str) -> str:
    """Return a script that cannot end its own element."""
    return _lines(script).replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _lines(script: str) -> str:
    """Line ends as the browser hashes them."""
    return script.replace("\r\n", "\n")


def _file(name: str) -> str:
    return (resources.files("foretide.report.html") / "templates" / name).read_text(encoding="utf-8")
