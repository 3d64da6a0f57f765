"""How the text of a table is written: encoding, separator, decimal and thousands mark."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, fields, replace

from foretide.errors import ConfigError

MARKS = (".", ",", " ", "'")
"""Marks that numbers are written with; a space stands for the narrow and the fixed one too."""
_SAID = {"\t": "tab", " ": "space"}
_TYPED = {"tab": "\t", "\\t": "\t", "space": " ", "semicolon": ";", "comma": ",", "point": ".", "apostrophe": "'"}
_ALIKE = {"\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'"}


@dataclass(frozen=True)
class Form:
    """How the text of a table is written; None is what was not given, or not found.

    Attributes
    ----------
    encoding : str or None
        As Python names it: ``utf-8``, ``latin-1``, ``cp1252`` ….
    sep : str or None
        One character between two cells.
    decimal : {".", ","} or None
    thousands : {".", ",", " ", "'"} or None
    time_format : str or None
        As for ``strptime``.
    """

    encoding: str | None = None
    sep: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    time_format: str | None = None

    def checked(self) -> Form:
        """Return the form in one spelling, or say which part cannot be.

        Returns
        -------
        Form

        Raises
        ------
        ConfigError
            For a part that cannot be.
        """
        sep, decimal, thousands = (_mark(getattr(self, name)) for name in ("sep", "decimal", "thousands"))
        if sep is not None and (len(sep) != 1 or sep in '"\n\r\0' or ord(sep) > 127 or sep.isalnum()):
            raise ConfigError(f"sep={self.sep!r}: expected one sign such as ',', ';', '|' or 'tab'.")
        if decimal not in (None, ".", ","):
            raise ConfigError(f"decimal={self.decimal!r}: expected '.' or ','.")
        if thousands not in (None, *MARKS):
            raise ConfigError(f"thousands={self.thousands!r}: expected '.', ',', ' ' or an apostrophe.")
        if decimal is not None and decimal == thousands:
            raise ConfigError(f"decimal and thousands are both {decimal!r}. Leave out the one that is not in the file.")
        if self.encoding is not None:
            _check_encoding(self.encoding)
        return replace(self, sep=sep, decimal=decimal, thousands=thousands)

    def or_else(self, other: Form) -> Form:
        """Return this form, with what it leaves open taken from another.

        Parameters
        ----------
        other : Form

        Returns
        -------
        Form
        """
        return replace(other, **{f.name: v for f in fields(self) if (v := getattr(self, f.name)) is not None})

    def text(self) -> str:
        """Return the form in words, as far as it is known.

        Returns
        -------
        str
        """
        parts = [f"as {self.encoding}"] if self.encoding else []
        named = (("separator", self.sep), ("decimal", self.decimal), ("thousands", self.thousands))
        parts += [f"{name} {_SAID.get(mark) or repr(mark)}" for name, mark in named if mark]
        parts += [f"dates {self.time_format!r}"] if self.time_format else []
        return ", ".join(parts)


@dataclass(frozen=True)
class Origin:
    """Where a table was read, and how it is written there.

    Attributes
    ----------
    name : str
        Of the file.
    form : Form
        As given or found; nothing for Parquet.
    left_out : tuple of str
        What of the file is not in the table, in words.
    """

    name: str
    form: Form
    left_out: tuple[str, ...] = ()

    def with_times(self, form: str | None) -> Origin:
        """Return the origin with the form that its times were found to have.

        Parameters
        ----------
        form : str or None

        Returns
        -------
        Origin
        """
        return replace(self, form=replace(self.form, time_format=form))

    def text(self) -> str:
        """Return what was found, in one line.

        Returns
        -------
        str
        """
        more = f" Left out: {', '.join(self.left_out)}." if self.left_out else ""
        how = self.form.text() if self.form.encoding else "as Parquet"
        return f"Read {self.name} {how}.{more}"


def _mark(typed: str | None) -> str | None:
    if typed is None:
        return None
    typed = str(typed)
    return _TYPED.get(typed.lower(), _ALIKE.get(typed, typed))


def _check_encoding(name: str) -> None:
    example = "Expected a name such as 'utf-8', 'cp1252', 'latin-1', 'utf-16' or 'shift_jis'."
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError) as error:
        raise ConfigError(f"encoding={name!r} is not known. {example}") from error
    if not getattr(found, "_is_text_encoding", True) or found.name in ("undefined", "idna", "punycode"):
        raise ConfigError(f"encoding={name!r} is no encoding of text files. {example}")
