"""A report as a page: one copy of plotly.js, data as JSON, and a content policy that names its own scripts."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from foretide.pictures.plotly import charts
from foretide.report.section import sortable, text_of

if TYPE_CHECKING:
    from jinja2 import Environment

    from foretide.report.section import Report
    from foretide.typing import Json

LIBRARY = "plotly-cartesian.min.js.gz"
"""plotly.js with the traces that a plane needs; see ``vendor/README.md``."""
_IN_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def page(report: Report) -> str:
    """Return a report as HTML.

    Parameters
    ----------
    report : Report

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.report.render.page import page
    >>> from foretide.report.section import Report, Section
    >>> "<h2" in page(Report("demo", "run", [Section("rain", "Rain", ["It rained."])]))
    True
    """
    explorers = [part.explorer for part in report.parts if part.explorer is not None]
    data: Json = {
        "name": report.name, **report.data, **{explorer.kind: explorer.data for explorer in explorers},
        "charts": charts(picture for part in report.parts for picture in part.pictures),
    }  # fmt: skip
    packed, script = _vendored(LIBRARY), _safe(_file("page.js"))
    library = gzip.decompress(packed).decode("utf-8")
    return environment(html=True).get_template("page.html").render(
        report=report, policy=policy([library, script]), style=_file("page.css"), script=script,
        data=script_json(data), library=base64.b64encode(packed).decode("ascii"),
    )  # fmt: skip


@cache
def environment(*, html: bool) -> Environment:
    """Return what templates are filled in by; numbers are rounded, and in HTML text is escaped, there alone."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("foretide.report.render", "templates"), autoescape=html, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    made.filters |= {"text": text_of, "sortable": sortable}
    return made


def script_json(value: object) -> str:
    """Return JSON that can stand inside a ``<script>`` element: no character of it ends the element or a line.

    Raises
    ------
    ValueError
        For numbers that are not finite.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign, written in _IN_SCRIPT.items():
        text = text.replace(sign, written)
    return text


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
    return (resources.files("foretide.report.render") / "templates" / name).read_text(encoding="utf-8")


def _vendored(name: str) -> bytes:
    return (resources.files("foretide.report.render") / "vendor" / name).read_bytes()
