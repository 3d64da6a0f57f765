"""Names of tables in a summary are text: no link, no heading, no markup, whatever they hold."""

from __future__ import annotations

import html
import re

import pytest
from markdown_it import MarkdownIt

from foretide.report.render.markdown import escaped, markdown
from foretide.report.section import Column, Report, Section, Table

HOSTILE = (
    "<script>alert(1)</script>", "[x](javascript:alert(1))", "![x](http://evil.example/p.png)", "a|b|c", "`code`",
    "# heading", "## a", "- item", "+ item", "* item", "1. item", "2) item", "---", "***", "___", "> quote", "~~gone~~",
    "&lt;b&gt;", "&#60;b&#62;", "AT&T", "<http://evil.example>", "**bold** _it_ snake_case __x__", "a\\|b", "\\", "$x$",
    "-5", "+3.1%", "12.5", "<!-- a", "[ref]: http://evil.example",
)  # fmt: skip
TAGS = re.compile(r"<(?!/?(p|table|thead|tbody|tr|th|td|h1|h2|strong|ul|li)\b)")


def shown(text: str) -> str:
    """What a reader of the Markdown sees, by another library."""
    return html.unescape(re.sub(r"<[^>]*>", "", MarkdownIt("gfm-like", {"linkify": False}).render(text))).strip()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_shown_letter_by_letter(name: str) -> None:
    assert shown(escaped(name)) == name


def test_a_name_cannot_leave_its_line() -> None:
    assert shown(escaped("a\n\n# b\r\n- c")) == "a # b - c"
    assert shown(escaped("a\x1b[2Jb\u202ec")) == "a\\x1b[2Jb\\u202ec"


def test_numbers_stay_as_they_are() -> None:
    assert [escaped(text) for text in ("-5", "+3.1%", "12.5", "0.25")] == ["-5", "+3.1%", "12.5", "0.25"]


def test_a_whole_report_of_hostile_names_holds_no_markup() -> None:
    rows = [[name, name] for name in HOSTILE]
    table = Table("t", "# caption | x", [Column("a|b", kind="text"), Column("<i>", kind="text")], rows)
    report = Report("<b>run</b>", "run", [Section("s", "`title`", HOSTILE, HOSTILE, tables=[table])])
    page = MarkdownIt("gfm-like", {"linkify": False}).render(markdown(report, {}))
    assert not TAGS.search(page), TAGS.search(page)
    assert page.count("<tr>") == len(rows) + 1
    assert page.count("<td>") == 2 * len(rows)
    assert page.count("<li>") == len(HOSTILE)
