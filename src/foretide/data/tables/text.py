"""From bytes to the text of a table: the encoding, the separator, and where the header stands."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import numpy as np

from foretide.data.tables.form import Form
from foretide.errors import DataError
from foretide.typing import Ints

SEPARATORS = (",", ";", "\t", "|")
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
         codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}  # fmt: skip
_WIDE = re.compile(rb"[\x80-\xff]{3,}")
_HIGH = re.compile(rb"[\x80-\xff]")
_HIGHS = re.compile(rb"[\x80-\xff]+")
_NO_TEXT = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_SAMPLE, _HEAD = 400, 50
_SEP_LINE = re.compile(r'^"?sep=(.)"?$', re.IGNORECASE)


@dataclass(frozen=True)
class Text:
    """The text of a table from its header on.

    Attributes
    ----------
    data : bytes
        Header and rows in UTF-8; lines end in a line feed. Of a file that is written so, the file's own bytes.
    line : int
        Line of the file that the header stands in, from 1.
    form : Form
        What is known of how it is written; ``encoding`` and ``sep`` are set.
    left_out : int
        Lines above the header that are no part of the table.
    """

    data: bytes
    line: int
    form: Form
    left_out: int = 0

    @property
    def body(self) -> str:
        """Header and rows, decoded."""
        return self.data.decode("utf-8", "surrogatepass")


def read_text(data: bytes, name: str, preset: Form, likely: Form) -> Text:
    """Decode a file and find its separator and header.

    Parameters
    ----------
    data : bytes
    name : str
        For messages.
    preset : Form
        Holds without a look.
    likely : Form
        Of a table of the same kind; taken where a look leaves it open.

    Returns
    -------
    Text

    Raises
    ------
    DataError
        For what is no text table, or is empty.
    """
    text, encoding = _decode(data, name, preset.encoding, likely.encoding)
    as_it_is = encoding == "utf-8" and not data.startswith(codecs.BOM_UTF8) and "\r" not in text
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    strange = _NO_TEXT.search(text)
    if strange:
        line = text.count("\n", 0, strange.start()) + 1
        raise DataError(
            f"{name} is no text table, or is damaged: line {line} holds the control character "
            f"{strange.group()!r}. Copy or export it anew; if it is text in UTF-16, type encoding='utf-16'."
        )
    top, sep = _skip_remarks(text, preset.sep)
    if top is None:
        raise DataError(f"{name} is empty: expected a header line and rows below it.")
    sample = _sample(text, top.begin)
    sep = sep or _separator(sample, likely.sep)
    counts = _counts(sample, sep)
    width = Counter(counts).most_common(1)[0][0]
    head = list(islice(_lines(text, top.begin), _HEAD))
    titles = _titles([line for _, line in head], counts, width, sep)
    begin, start, names = head[titles][0], top.number + titles, ""
    if not titles and top.number and _is_header(top.before, head[0][1], width, sep):
        start, names = start - 1, top.before.lstrip("# ") + "\n"
    form = Form(encoding=encoding, sep=sep)
    remarks = text.find("\n#", begin) >= 0
    if as_it_is and not (begin or names or remarks or sep == " "):
        return Text(data, 1, form)
    text = names + text[begin:]
    if remarks:  # a remark among the rows keeps its line, so that lines can be named; a row such as #7,… stays
        text = "\n".join(
            "" if k and line.startswith("#") and _counts([line], sep)[0] != width else line
            for k, line in enumerate(text.split("\n"))
        )
    if sep == " ":
        text = "\n".join(re.sub(" {2,}", " ", line.strip()) for line in text.split("\n"))
    return Text(text.encode("utf-8", "surrogatepass"), start + 1, form, titles)


# -------------------------------------------------------------------- encoding
def _decode(data: bytes, name: str, typed: str | None, likely: str | None) -> tuple[str, str]:
    encoding = typed or next((e for bom, e in _BOMS.items() if data.startswith(bom)), None) or _wide_by_zeros(data)
    if encoding is not None:
        try:
            text = data.decode("utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding)
        except (UnicodeError, ValueError) as error:
            fix = "Leave encoding out to have it found, or name another." if typed else "Copy or export it anew."
            raise DataError(f"{name} cannot be read as {encoding}: {_where(data, error)}. {fix}") from error
        return text.removeprefix("\ufeff"), encoding
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        return _decode_old(data, name, likely, error)


def _wide_by_zeros(data: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of Latin text is zero."""
    head = data[:2000]
    if len(head) < 4 or not head.count(0) * 3 > len(head):
        return None
    even, odd = head[::2].count(0), head[1::2].count(0)
    return "utf-16-le" if odd > 4 * even else "utf-16-be" if even > 4 * odd else None


def _decode_old(data: bytes, name: str, likely: str | None, error: UnicodeDecodeError) -> tuple[str, str]:
    """Decode text that is not UTF-8: as the fitted table was, or as western Europe wrote before."""
    if likely is not None and not likely.lower().startswith("utf"):
        try:
            return data.decode(likely), likely
        except (UnicodeError, LookupError):  # another kind of file after all
            likely = None
    high = len(_HIGH.findall(data))
    if b"\0" in data or high > len(data) / 2:
        raise DataError(f"{name} is no text table, or is damaged: {_where(data, error)}. Copy or export it anew.")
    sound = high - len(_HIGH.findall(data.decode("utf-8", "ignore").encode("utf-8", "ignore")))
    if sound * 4 < high:  # nearly all other signs are UTF-8
        raise DataError(
            f"{name} is UTF-8 but for {_where(data, error)}. Correct the line, or read it as it is: encoding='cp1252'."
        )
    if sum(map(len, _WIDE.findall(data))) * 2 > high or _in_pairs(data):
        raise DataError(
            f"{name} is not UTF-8 and its words look like no western alphabet, so its encoding must be named. Type "
            "encoding='cp1251' (Cyrillic), 'cp1253' (Greek), 'shift_jis' (Japanese), 'gb18030' (Chinese) or another."
        )
    if re.search(rb"[\x80-\x9f]", data):
        try:
            return data.decode("cp1252"), "cp1252"
        except UnicodeDecodeError as failed:
            raise DataError(
                f"{name} is neither UTF-8 nor cp1252: {_where(data, failed)}. Name its encoding, such as "
                "encoding='cp1250', 'cp437' or 'mac_roman'."
            ) from failed
    return data.decode("latin-1"), "latin-1"


def _in_pairs(data: bytes) -> bool:
    """Whether signs beyond ASCII always come in twos, as Chinese ones do and accents hardly ever."""
    runs = set(_HIGHS.findall(data))
    return len(runs) > 2 and all(len(run) % 2 == 0 for run in runs)


def _where(data: bytes, error: Exception) -> str:
    if not isinstance(error, UnicodeDecodeError):
        return str(error)
    line = data.count(b"\n", 0, error.start) + 1
    return f"byte 0x{data[error.start]:02x} in line {line}"


# -------------------------------------------------------------------- separator and header
@dataclass(frozen=True)
class _Top:
    """The first line that is neither blank nor a remark: where it begins, which it is, and the line before."""

    begin: int
    number: int
    before: str


def _lines(text: str, begin: int) -> Iterator[tuple[int, str]]:
    """Give where each line begins, and the line, one after the other: a list of all takes more than twice the text."""
    while begin <= len(text):
        end = text.find("\n", begin)
        end = len(text) if end < 0 else end
        yield begin, text[begin:end]
        begin = end + 1


def _skip_remarks(text: str, given: str | None) -> tuple[_Top | None, str | None]:
    """Return the first line of the table, None where there is none, and the separator where it is given."""
    sep, before = given, ""
    for number, (begin, line) in enumerate(_lines(text, 0)):
        told, plain = _SEP_LINE.match(line), line.strip()
        if told:
            sep = sep or told.group(1)
        elif plain and not plain.startswith("#"):
            return _Top(begin, number, before), sep
        before = line
    return None, sep


def _sample(text: str, begin: int) -> list[str]:
    """Return lines from the top, and from the whole length of a longer table."""
    top = list(islice(_lines(text, begin), _SAMPLE))
    found = [line for _, line in top]
    later = top[-1][0] + len(found[-1]) + 1
    if text.count("\n", later) >= _SAMPLE:
        for k in range(_SAMPLE):
            at = text.find("\n", later + k * (len(text) - later) // _SAMPLE) + 1
            found += [next(_lines(text, at))[1]] if at else []
    return [line[:100_000] for line in found if line.strip() and not line.startswith("#")]


def _counts(sample: list[str], sep: str) -> list[int]:
    """Return the number of cells in each line; quoted separators do not count."""
    found = []
    for line in sample:
        if '"' in line:
            line = re.sub(r'"(?:[^"]|"")*"', "q", line)
        found.append(len(re.split(" +", line.strip())) if sep == " " else line.count(sep) + 1)
    return found


def _separator(sample: list[str], likely: str | None) -> str:
    """Return the separator that gives most lines the same number of cells, and then most cells."""
    best, best_score = ",", (0.0, 0)
    order = [likely] if likely else []
    for sep in dict.fromkeys((*order, *SEPARATORS, " ")):
        counts = _counts(sample, sep)
        width, times = Counter(counts).most_common(1)[0]
        share = times / len(counts)
        # A space separates only where it does so in every line, and nothing else does.
        if width < 2 or (sep == " " and (share < 1 or best_score[0] > 1)):
            continue
        score = (round(share, 1) + (0.3 if counts[0] == width else 0), width)
        if score > best_score:
            best, best_score = sep, score
    return best


def _titles(lines: list[str], counts: list[int], width: int, sep: str) -> int:
    """Return how many lines stand above the header: titles of one cell where the rows have several."""
    if width < 2 or counts.count(width) * 2 < len(counts):
        return 0

    def is_title(line: str) -> bool:
        return min(_counts([line], sep)[0], len([cell for cell in line.split(sep) if cell.strip('" ')])) < 2

    if not is_title(lines[0]):
        return 0
    heads = (k for k, line in enumerate(lines) if _counts([line], sep)[0] == width and not is_title(line))
    return next(heads, 0)


def _is_header(remark: str, row: str, width: int, sep: str) -> bool:
    """Whether the last remark above the rows holds their names: ``# ds,y``."""
    if width < 2 or not remark.startswith("#") or _counts([remark.lstrip("# ")], sep)[0] != width:
        return False
    return any(re.fullmatch(r"[-+\d.,:/ T]*\d[-+\d.,:/ T]*", cell) for cell in row.split(sep))


def header_of(data: bytes, sep: str) -> list[str]:
    """Return the cells of the first row.

    Parameters
    ----------
    data : bytes
        In UTF-8.
    sep : str

    Returns
    -------
    list of str
    """
    line = data[: data.find(b"\n") + 1 or None]
    line = data if line.count(b'"') % 2 else line  # a name of several lines
    first = line.decode("utf-8", "surrogatepass")
    with _cells_of_any_size(first):
        return next(csv.reader(io.StringIO(first), delimiter=sep), [])


def lines_of(data: bytes, first: int, rows: int) -> range | Ints | None:
    r"""Return the line that each row begins in; None where that cannot be told.

    Parameters
    ----------
    data : bytes
        Header and rows; each ends in a line feed, and empty lines are no rows.
    first : int
        Line of the first row.
    rows : int
        How many rows there are.

    Returns
    -------
    range or int array ``[R]``, or None

    Examples
    --------
    >>> from foretide.data.tables.text import lines_of
    >>> lines_of(b'y\n\n"a\nb"\n1\n', 1, 3).tolist()
    [1, 3, 5]
    """
    end = len(data)
    while end and data[end - 1] == ord("\n"):
        end -= 1
    if data.count(b"\n", 0, end) + 1 == rows:
        return range(first, first + rows)
    text = np.frombuffer(data, np.uint8)
    breaks = ends = np.flatnonzero(text == ord("\n"))
    if b'"' in data:  # a line feed between quotation marks ends no row
        ends = ends[np.add.accumulate(text == ord('"'), dtype=np.uint8)[ends] % 2 == 0]
    begins = np.append(0, ends[:-1] + 1)
    begins = begins[ends > begins]
    return first + np.searchsorted(breaks, begins) if len(begins) == rows else None


def unsound_row(body: str, sep: str, width: int) -> tuple[int, str] | None:
    """Return how many lines stand above the first row that is not sound, and what is wrong; None where all are.

    Parameters
    ----------
    body, sep : str
    width : int
        Cells of a sound row.

    Returns
    -------
    int and str, or None
    """
    with _cells_of_any_size(body):
        rows = csv.reader(io.StringIO(body), delimiter=sep, strict=True)
        while True:
            above = rows.line_num
            try:
                row = next(rows, None)
            except csv.Error as error:
                quoted = "expected after" in str(error) or "end of data" in str(error)
                return above, "a quotation mark is not closed, or stands inside a cell" if quoted else str(error)
            if row is None:
                return None
            if row and len(row) != width:
                return above, f"{len(row)} cell{'s' * (len(row) != 1)} where the header has {width}"


@contextmanager
def _cells_of_any_size(body: str) -> Iterator[None]:
    before = csv.field_size_limit(max(csv.field_size_limit(), len(body)))
    try:
        yield
    finally:
        csv.field_size_limit(before)
