"""A report as Markdown: the same sections as the page, with pictures as files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from foretide.pictures.picture import Picture
from foretide.report.render.page import environment
from foretide.report.section import Report, Section
from foretide.text import visible


def markdown(report: Report, files: Mapping[str, Sequence[str]], *, level: int = 1) -> str:
    r"""Return a report as Markdown.

    Parameters
    ----------
    report : Report
    files : mapping
        File of a picture, as its :attr:`~foretide.pictures.picture.Picture.file` names it -> where it was written, in
        every format; pictures without a file are left to the page.
    level : int
        Of the report's heading.

    Returns
    -------
    str

    Examples
    --------
    >>> from foretide.report.render.markdown import markdown
    >>> from foretide.report.section import Report, Section
    >>> print(markdown(Report("demo", "run", [Section("rain", "Rain", ["A * and a |."])]), {}))
    # demo: run
    <BLANKLINE>
    ## Rain
    <BLANKLINE>
    A \* and a \|.
    <BLANKLINE>
    """
    made = environment(html=False)
    made.filters |= {"md": escaped, "pictures": by_file}
    text = made.get_template("summary.md").render(report=report, files=files, mark="#" * level)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def by_file(section: Section) -> dict[str, list[Picture]]:
    """Return the pictures of a section, without its detail, by the file that shows them."""
    found: dict[str, list[Picture]] = {}
    for picture in replace(section, more=()).all_pictures:
        if picture.file:
            found.setdefault(picture.file, []).append(picture)
    return found


def escaped(text: object) -> str:
    """Return text that Markdown shows letter by letter, in a table too."""
    line = visible(" ".join(str(text).split()))
    line = re.sub(r"([\\`*\[\]<>|~$])", r"\\\1", line)
    line = re.sub(r"&(?=#?\w+;)", r"\&", line)  # what would become another letter
    # What would make a heading, a list or a rule of a whole line.
    line = re.sub(r"^(#+|[+-]|-{3,}|\d+[.)])(?=\s|$)", lambda found: found[1][:-1] + "\\" + found[1][-1], line)
    # Inside a word Markdown leaves an underscore alone, and names stay readable in the file.
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", line)
