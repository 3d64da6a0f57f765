"""Reads what a job left: its folder and its page, as plain numbers and words.

The only file that knows names of files and the page's markup. Numbers and words are kept apart, so that a sentence can
be put better without a number slipping through.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from exceptions import COLUMNS, FACTS, FILES, PICTURES, listed, without_variable_parts
from safetensors.numpy import load_file

Numbers = dict[str, Any]
Words = dict[str, list[str]]

LONG = ("forecasts", "scorecard")
"""Names of the table of forecasts beside the truth."""
SCORES = ("metrics", "leaderboard")
"""Names of the table of scores, one row per model: the first that is there."""
KEYS = ("unique_id", "cutoff", "ds", "h_step")


# ---- folders ----
def read_folder(folder: Path) -> tuple[Numbers, Words]:
    """Return the numbers and the words of a finished folder."""
    numbers: Numbers = {}
    words: Words = {}
    tables = tables_of(folder)
    scores = next((name for name in SCORES if name in tables), None)
    for name, table in sorted(tables.items()):
        if name == scores:
            numbers["scores"] = scores_of(table)
        elif name in LONG:
            numbers["forecasts"] = columns_of(in_order(table)) | numbers.get("forecasts", {})
        else:
            numbers[f"table {name}"] = columns_of(table)
    for path in files_of(folder, ".safetensors"):
        numbers[f"arrays {path.stem}"] = {k: summary_of(v.ravel()) for k, v in sorted(load_file(path).items())}
    for path in files_of(folder, ".json"):
        figures, texts = facts_of(json.loads(path.read_text("utf-8")))
        numbers[f"facts {path.stem}"] = figures
        words[f"facts {path.stem}"] = texts
    for path in files_of(folder, ".md"):
        words[path.name] = prose_of(path.read_text("utf-8"))
    for path in files_of(folder, ".html"):
        page = Page(path.read_text("utf-8"))
        numbers |= page.numbers()
        words |= page.words()
    return numbers, words


def files_of(folder: Path, suffix: str) -> Iterator[Path]:
    """Yield the files that end like this, without those that are excepted."""
    # Deeper ones first: a folder's own page and facts stand for it, not those of a search inside.
    for path in sorted(folder.rglob(f"*{suffix}"), key=lambda path: (-len(path.parts), path)):
        parts = path.relative_to(folder).parts
        if not {*parts[:-1], path.stem, path.name} & FILES.keys():
            yield path


def tables_of(folder: Path) -> dict[str, pd.DataFrame]:
    """Return every table by its name; where it lies there in two forms, the typed one."""
    found = {path.stem: pd.read_csv(path) for path in files_of(folder, ".csv")}
    return found | {path.stem: pd.read_parquet(path) for path in files_of(folder, ".parquet")}


def scores_of(table: pd.DataFrame) -> Numbers:
    """Return model -> metric -> value."""
    kept = table.set_index("model").select_dtypes("number")
    kept = kept[[c for c in kept if not listed(str(c), COLUMNS)]]
    return {str(name): {str(c): rounded(v) for c, v in row.items()} for name, row in kept.iterrows()}


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Return forecasts sorted by series, cutoff and step."""
    return table.sort_values([k for k in KEYS if k in table], kind="stable")


def columns_of(table: pd.DataFrame) -> Numbers:
    """Return a summary of every column."""
    return {str(c): summary_of(table[c]) for c in table if not listed(str(c), COLUMNS)}


def facts_of(value: Any, path: str = "") -> tuple[Numbers, list[str]]:
    """Return the numbers of a JSON value by their path, and its texts."""
    if listed(path, FACTS):
        return {}, []
    if isinstance(value, str):
        return {}, [without_variable_parts(f"{path}: {value}")]
    if isinstance(value, int | float):
        return {path: rounded(float(value))}, []
    if isinstance(value, list) and value and all(isinstance(v, int | float) for v in value):
        return {path: summary_of(value)}, []
    numbers: Numbers = {}
    texts: list[str] = []
    for key, part in value.items() if isinstance(value, dict) else enumerate(value or ()):
        more, said = facts_of(part, f"{path}.{key}".removeprefix("."))
        numbers |= more
        texts += said
    return numbers, texts


def prose_of(markdown: str) -> list[str]:
    """Return the lines of a text that are no rows of a table."""
    lines = (line.strip() for line in markdown.splitlines())
    return [without_variable_parts(line) for line in lines if line and not line.startswith("|")]


# ---- pages ----
BLOCKS = {
    "title", "h1", "h2", "h3", "h4", "p", "li", "dt", "dd", "caption", "figcaption", "summary", "th", "td", "option",
    "legend", "label", "button", "pre",
}  # fmt: skip


class Page(HTMLParser):
    """A page: its visible texts in order, its tables, and the data of its pictures."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.blocks: list[tuple[str, str]] = []
        self.tables: list[list[list[tuple[str, str, str | None]]]] = []
        self.titles: dict[str, str] = {}
        self.data: dict[str, Any] = {}
        self._open: list[list[Any]] = []
        self._script: dict[str, str | None] | None = None
        self._quiet = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = dict(attrs)
        if tag == "script":
            self._script = have
        elif tag == "style":
            self._quiet = True
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag == "div" and "plot" in (have.get("class") or "").split():
            heads = [text for name, text in self.blocks[-3:] if name == "h3"]
            self.titles[have["id"] or ""] = heads[-1] if heads else ""
        if tag in BLOCKS:
            self._open.append([tag, "", have.get("data-value")])

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = None
        elif tag == "style":
            self._quiet = False
        elif self._open and self._open[-1][0] == tag:
            name, text, value = self._open.pop()
            text = " ".join(text.split()) if name != "pre" else text
            if name in ("th", "td"):
                self.tables[-1][-1].append((name, text, value))
            elif text:
                self.blocks.append((name, text))

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            if self._script.get("type") == "application/json":
                self.data = json.loads(data)
        elif self._open and not self._quiet:
            for block in self._open:
                block[1] += data

    def words(self) -> Words:
        """Return texts, names in tables, and names in pictures."""
        texts = [f"{tag}: {without_variable_parts(text)}" for tag, text in self.blocks if tag != "pre"]
        settings = [
            line for tag, text in self.blocks if tag == "pre" for line in without_variable_parts(text).splitlines()
        ]
        names = []
        for k, rows in enumerate(self.tables):
            for row in rows:
                said = [text for _, text, value in row if value is None and number_of(text) is None]
                names.append(without_variable_parts(f"table {k}: {' | '.join(said)}"))
        pictures = []
        for k, (key, view, drawn) in enumerate(self.drawings()):
            axes = [drawn["layout"].get(a, {}).get("title", {}).get("text", "") for a in ("xaxis", "yaxis")]
            traces = ", ".join(str(t.get("name", "")) for t in drawn["data"])
            pictures.append(f"{k} choice {view}: {self.titles.get(key, '')} ({axes[0]} / {axes[1]}): {traces}")
            pictures.append(without_variable_parts(drawn.get("caption", "")))
        return {
            "page": texts,
            "page settings": settings,
            "page tables": names,
            "page pictures": [p for p in pictures if p],
        }

    def numbers(self) -> Numbers:
        """Return summaries of the columns of every table and of every picture's lines, bars and fields.

        Tables and pictures have no names here: their titles are words, and may be put better.
        """
        tables = [summaries_of_cells(rows) for rows in self.tables]
        pictures = []
        for key, _, drawn in self.drawings():
            words = " ".join([self.titles.get(key, ""), json.dumps(drawn["layout"].get("yaxis", {}))])
            pictures.append([] if listed(words, PICTURES) else [trace_of(t) for t in drawn["data"]])
        attention = {}
        for name, kept in self.data.get("attention", {}).items():
            weights = np.frombuffer(base64.b64decode(kept["data"]), "<u2") * kept["scale"]
            attention[name] = {"shape": kept["shape"], "weights": summary_of(weights)}
        forecasts, _ = facts_of(self.data.get("forecasts", {}))
        return {
            "page tables": tables,
            "page pictures": pictures,
            "page attention": attention,
            "page forecasts": forecasts,
        }

    def drawings(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield (id, choice, data and layout) of every picture, once for each choice of its lists."""
        for key, chart in self.data.get("charts", {}).items():
            for view, drawn in chart.get("views", {"": chart}).items():
                yield key, view, drawn


def summaries_of_cells(rows: list[list[tuple[str, str, str | None]]]) -> Numbers:
    """Return a summary of every column of a table that holds numbers."""
    head = [text for _, text, _ in rows[0]] if rows else []
    found: Numbers = {}
    for k, name in enumerate(head):
        cells = [row[k] for row in rows[1:] if len(row) > k]
        values = [number_of(value if value is not None else text) for _, text, value in cells]
        if not listed(name, COLUMNS) and any(v is not None for v in values):
            found[name] = summary_of(values)
    return found


def trace_of(trace: dict[str, Any]) -> Numbers:
    """Return a trace's name and summaries of what it draws."""
    error = {"error": trace["error_y"].get("array")} if isinstance(trace.get("error_y"), dict) else {}
    drawn = {key: trace.get(key) for key in ("x", "y", "z", "base", "value", "values")} | error
    sums = {key: summary_of(flat(value)) for key, value in drawn.items() if value is not None}
    return {"name": str(trace.get("name", "")), **sums}


# ---- numbers ----
def summary_of(values: Iterable[Any]) -> list[Any]:
    """Return count, missing, sum, sum of squares, sum by place, first and last of a column.

    The sum by place, ``sum((k + 1) v[k]) / n``, differs where two values changed places. Of texts and times: how many
    and how many different ones, and the first and the last.
    """
    column = pd.Series(list(values) if not isinstance(values, pd.Series) else values.to_numpy(), dtype=None)
    if column.empty:
        return [0]
    known = column.dropna()
    if known.empty:
        return [len(column), len(column)]
    if not pd.api.types.is_numeric_dtype(known.infer_objects()) or pd.api.types.is_bool_dtype(known.infer_objects()):
        return [len(column), len(column) - len(known), known.nunique(), str(known.iloc[0]), str(known.iloc[-1])]
    v = known.to_numpy(float)
    endless = ~np.isfinite(v)
    if endless.any():
        v = np.where(endless, 0.0, v)
    place = (np.flatnonzero(column.notna()) + 1) / len(column)
    exact = [math.fsum(v), math.fsum(v * v), math.fsum(v * place), v[0], v[-1]]
    return [len(column), len(column) - len(known) + int(endless.sum()), *map(rounded, exact)]


def rounded(value: Any) -> Any:
    """Return a number with 12 significant digits; what is no number as text."""
    number = float(value)
    return float(f"{number:.12g}") if math.isfinite(number) else str(number)


def number_of(text: str) -> float | None:
    """Return what a cell says, None where it is no number."""
    plain = text.replace("−", "-").replace("%", "").replace(",", "").strip()
    return float(plain) if re.fullmatch(r"[-+]?\d+(\.\d*)?(e[-+]?\d+)?", plain) else None


def flat(value: Any) -> list[Any]:
    """Return the cells of a list, or of a list of lists, row by row."""
    if not isinstance(value, list):
        return [value]
    return [cell for part in value for cell in (flat(part) if isinstance(part, list) else [part])]
