"""How a table is read: one list of options for Python, configurations and the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypedDict

from foretide.data.tables.form import Form
from foretide.errors import ConfigError, nearest

_MISSING = ("error", "mask", "ffill")
AGGREGATES = ("mean", "sum", "last", "max", "min")
"""What resampling makes of the values that fall into one step."""


def _flag(text: str, default: Any = None) -> Any:
    """An option that is a flag of the commands too, with its help."""
    return field(default=default, metadata={"help": text})


class ReadingOptions(TypedDict, total=False):
    """How a table is read.

    Attributes
    ----------
    freq : str, int or None
        Length of a step (``"h"``, ``"30min"``, ``"D"``, ``"MS"``; for integer time an integer); found by default.
    fill_gaps : bool
        Insert rows of missing values where steps are missing, which are an error otherwise.
    missing : {"error", "mask", "ffill"}
        NaN, null and infinite values: an error; kept as NaN; the last known value, up to the last observation.
    resample : str or None
        Bring each entity's rows together into steps of this length, labelled as by ``DataFrame.resample``.
    aggregate : str, dict of str to str, or None
        ``"mean"`` (by default), ``"sum"``, ``"last"``, ``"max"``, ``"min"``, or by column: ``{"y": "sum"}``.
    tz : str or None
        Zone of the wall clock: times are moved to it; those without a zone are taken to be in it.
    time_format : str or None
        ``strptime`` format of text or whole numbers, or ``epoch_s``, ``epoch_ms`` ...; found where all rows agree.
    decimal, thousands : str or None
        Marks of numbers stored as text, such as ``,`` and ``.``; found by default.
    melt : bool
        Every target column is an entity of its own (:meth:`foretide.Panel.from_wide`).
    """

    freq: str | int | None
    fill_gaps: bool
    missing: str
    resample: str | None
    aggregate: str | dict[str, str] | None
    tz: str | None
    time_format: str | None
    decimal: str | None
    thousands: str | None
    melt: bool


class FrameOptions(ReadingOptions, total=False):
    """How a frame is read; all of :class:`ReadingOptions`, and what keeps short series out.

    Attributes
    ----------
    input_size, h : int or None
        Series shorter than one window are an error.
    """

    input_size: int | None
    h: int | None


class TextOptions(TypedDict, total=False):
    """How the text of a CSV file is written.

    Attributes
    ----------
    sep, encoding : str or None
        Found by default.
    """

    sep: str | None
    encoding: str | None


class FileOptions(FrameOptions, TextOptions, total=False):
    """How a file is read: as a frame, and how the text of a CSV file is written."""


class AnyOptions(ReadingOptions, TextOptions, total=False):
    """How a frame or a file is read by who names the horizon himself."""


class TableOptions(FileOptions, total=False):
    """How a file is read, and which columns have a role beside the target.

    Attributes
    ----------
    past, future, static : str or sequence of str
    """

    past: str | Sequence[str]
    future: str | Sequence[str]
    static: str | Sequence[str]


@dataclass(frozen=True)
class Options:
    """How a table is read, the same in Python, in a configuration and on the command line.

    What they mean says :class:`FileOptions`.
    """

    freq: str | int | None = _flag("Frequency such as h, 30min, D, MS; detected by default.")
    fill_gaps: bool = _flag("Missing steps become missing values.", False)
    missing: str = _flag("What to do with missing values: error, mask or ffill.", "error")
    resample: str | None = _flag("Bring rows together into steps of this length first.")
    aggregate: str | dict[str, str] | None = field(
        default=None, metadata={"help": "How: mean, sum, last, max, min; by column: y=sum,price=mean."}
    )
    tz: str | None = _flag("Time zone of the wall clock, such as Europe/Berlin.")
    time_format: str | None = _flag("Form of the times, such as '%d.%m.%Y' or epoch_s; detected by default.")
    decimal: str | None = _flag("Decimal mark of numbers, '.' or ','; detected by default.")
    thousands: str | None = _flag("Thousands mark of numbers, such as ',' or '.'; detected by default.")
    sep: str | None = _flag("Separator of a CSV file, such as ';' or tab; detected by default.")
    encoding: str | None = _flag("Encoding of a CSV file, such as cp1252; detected by default.")
    melt: bool = _flag("Every target column is a series of its own, for tables with a column per series.", False)
    input_size: int | None = None
    h: int | None = None

    @property
    def form(self) -> Form:
        """How the text of a table is written, as far as it is given."""
        return Form(**{f.name: getattr(self, f.name) for f in fields(Form)}).checked()

    def checked(self) -> Options:
        """Return the options in canonical form, or say which one cannot be.

        Returns
        -------
        Options

        Raises
        ------
        ConfigError
            For the option that cannot be.
        """
        if self.missing not in _MISSING:
            hint = nearest(self.missing, _MISSING)
            raise ConfigError(f"missing={self.missing!r}: expected one of {', '.join(_MISSING)}. {hint}")
        if self.aggregate is not None and self.resample is None:
            raise ConfigError("aggregate says how rows become longer steps, and needs their length: resample='D' ...")
        from foretide.data.time.forms import check_format
        from foretide.data.time.frequency import read_freq
        from foretide.data.time.zones import read_zone

        check_format(self.time_format)
        form = self.form
        freq = None if self.freq is None else read_freq(self.freq)
        resample = None if self.resample is None else read_freq(self.resample, "resample")
        if isinstance(resample, int):
            raise ConfigError(f"resample={resample!r}: expected a frequency such as '1h' or 'D'.")
        if resample is not None and freq is not None and freq != resample:
            raise ConfigError(
                f"resample={self.resample!r} makes steps of {resample!r}, freq={self.freq!r} says otherwise."
            )
        return replace(
            self, freq=resample or freq, resample=resample, tz=read_zone(self.tz), decimal=form.decimal,
            thousands=form.thousands, sep=form.sep,
            aggregate=None if self.aggregate is None else read_aggregate(self.aggregate),
        )  # fmt: skip


def read_aggregate(typed: str | Mapping[str, str]) -> str | dict[str, str]:
    """Return one aggregation for all columns, or one by column; text may be ``"sum"`` or ``"y=sum,price=mean"``.

    Parameters
    ----------
    typed : str or dict of str to str

    Returns
    -------
    str or dict of str to str

    Raises
    ------
    ConfigError
        For an aggregation that is none.

    Examples
    --------
    >>> from foretide.data.reading.options import read_aggregate
    >>> read_aggregate("y=sum,price=mean")
    {'y': 'sum', 'price': 'mean'}
    """
    if isinstance(typed, str) and "=" in typed:
        parts = [part.partition("=") for part in typed.split(",") if part.strip()]
        typed = {name.strip(): choice.strip() for name, _, choice in parts}
    for choice in [typed] if isinstance(typed, str) else typed.values():
        if choice not in AGGREGATES:
            raise ConfigError(
                f"aggregate={choice!r}: expected one of {', '.join(AGGREGATES)}, or one by column, such as "
                f"'y=sum,price=mean'. {nearest(choice, AGGREGATES)}"
            )
    return typed if isinstance(typed, str) else dict(typed)
