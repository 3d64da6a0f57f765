"""The panel: entities x time x columns on one regular grid, every column with a role."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Unpack

import numpy as np

from foretide.data.shape import Shape
from foretide.data.static import Names as Names
from foretide.data.static import Static as Static
from foretide.data.tables.form import Form, Origin
from foretide.errors import ConfigError, DataError
from foretide.typing import Frame, Ints, Reals, Time

if TYPE_CHECKING:
    from os import PathLike

    from foretide.data.reading.options import FrameOptions, TableOptions
    from foretide.pictures.show import Drawing


@dataclass(frozen=True, eq=False)
class Panel(Shape):
    """Many series on one regular time grid.

    All rows of all entities stand in one contiguous array; entity ``i`` owns the rows
    ``row0[i] .. row0[i] + length[i] - 1``, oldest first, and its first row lies at grid step ``first[i]``.
    Columns are ordered targets, past, future. A missing cell is NaN.

    Attributes
    ----------
    grid : Grid
    ids : tuple of str
        Names of the entities, ``N`` of them (``("",)`` for one unnamed entity).
    values : float array ``[R, C]``
    row0, length, first : int arrays ``[N]``
    targets, past, future : tuples of str
        Roles: what is forecast; known up to the cutoff; known ahead.
    static : Static
    names : Names
    origin : Origin or None
        The file it was read from, and how that is written.
    categories : dict
        Text column among ``past`` and ``future`` -> its categories in the order of the codes that ``values`` holds;
        NaN is none of them.
    indicators : dict
        Text column that a model sees as 0/1 columns, one per category -> their names.

    Examples
    --------
    >>> import foretide as ft
    >>> ft.synthetic.hourly(T=48).panel
    Panel(1 entities x 1 targets, 2 past; 48 rows, every h, 2019-01-01 00:00:00 to 2019-01-02 23:00:00)
    """

    static: Static = field(default_factory=Static)
    names: Names = field(default_factory=Names)
    origin: Origin | None = None
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    indicators: dict[str, tuple[str, ...]] = field(default_factory=dict)

    # ---------------------------------------------------------------- construction
    @classmethod
    def from_frame(
        cls,
        frame: Frame,
        *,
        id: str | Sequence[str] | None = "unique_id",
        time: str = "ds",
        target: str | Sequence[str] = "y",
        past: str | Sequence[str] = (),
        future: str | Sequence[str] = (),
        static: str | Sequence[str] = (),
        **options: Unpack[FrameOptions],
    ) -> Panel:
        """Build a panel from a long frame, one row per entity and time; or one per entity, its last columns the steps.

        Parameters
        ----------
        frame : pandas or polars data frame
            Not changed. Times and ids may stand in the index of a pandas frame.
        id : str, sequence of str or None
            Column that names the entity, or several together (``"north/milk"``); None: the frame holds one.
        time : str
            Datetimes (with or without a zone), dates, text, or integers.
        target, past, future, static : str or sequence of str
            Columns by role: forecast; known up to the cutoff; known ahead; one value per entity. Booleans become 0 and
            1, text that is no target categories (empty: none of them). Rows after the end hold future columns only.
        **options
            How the frame is read: see :class:`foretide.data.reading.options.FrameOptions`.

        Returns
        -------
        Panel
            Entities in order of appearance; values are float64, or float32 when all columns are.

        Raises
        ------
        DataError
            One that lists every problem found; constant columns are a :class:`DataWarning`.

        Examples
        --------
        >>> import foretide as ft
        >>> import pandas as pd
        >>> days = ["2024-01-01", "2024-01-02", "2024-01-03"]
        >>> frame = pd.DataFrame({"shop": ["a"] * 3 + ["b"] * 3, "day": days * 2, "sold": [3, 1, 4, 1, 5, 9]})
        >>> ft.Panel.from_frame(frame, id="shop", time="day", target="sold")
        Panel(2 entities x 1 targets; 6 rows, every D, 2024-01-01 00:00:00 to 2024-01-03 00:00:00)
        """
        from foretide.data.reading.surveys import build, survey_long

        columns = {"target": target, "past": past, "future": future, "static": static}
        return build(cls, survey_long(frame, id, time, columns, options))

    @classmethod
    def from_wide(
        cls,
        frame: Frame,
        *,
        time: str = "ds",
        target: str | Sequence[str],
        past: str | Sequence[str] = (),
        future: str | Sequence[str] = (),
        **options: Unpack[FrameOptions],
    ) -> Panel:
        """Build a panel from a frame whose columns are series, one row per time.

        Several targets make a panel of one unnamed entity, whose targets are forecast together. With ``melt=True`` they
        make a panel of many entities, which may begin and end at different times: many series alike.

        Parameters
        ----------
        frame : pandas or polars data frame
        time : str
        target, past, future : str or sequence of str
            Columns by role; ``"rest"`` as target or past takes all columns that have no other role.
        **options
            As in :meth:`from_frame`.

        Returns
        -------
        Panel

        Examples
        --------
        >>> import foretide as ft
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"ds": ["2024-01", "2024-02", "2024-03"], "milk": [3, 1, 4], "tea": [1, 5, 9]})
        >>> ft.Panel.from_wide(frame, target="rest").targets
        ('milk', 'tea')
        >>> ft.Panel.from_wide(frame, target="rest", melt=True).ids
        ('milk', 'tea')
        """
        from foretide.data.reading.surveys import build, survey_wide

        return build(cls, survey_wide(frame, time, {"target": target, "past": past, "future": future}, options))

    @classmethod
    def read(
        cls,
        path: str | PathLike[str],
        *,
        id: str | Sequence[str] | None = None,
        time: str = "ds",
        target: str | Sequence[str] = "y",
        backend: str = "pandas",
        likely: Form | None = None,
        **options: Unpack[TableOptions],
    ) -> Panel:
        r"""Read a CSV or Parquet file into a panel.

        What is not given is found by looking at the whole file: encoding, separator, decimal and thousands mark.
        ``panel.origin`` says what was found. The file is long when ``id`` is given or it has a column ``unique_id``,
        wide (one entity) otherwise.

        Parameters
        ----------
        path : path
            Ends in ``.csv``, ``.tsv``, ``.tab``, ``.txt``, ``.dat``, ``.parquet`` or ``.pq``, maybe followed by
            ``.gz``, ``.bz2``, ``.xz`` or ``.zip``; ``-`` is standard input.
        id, time, target
            As in :meth:`from_frame`.
        backend : {"pandas", "polars"}
            Kind of frame that forecasts are returned in.
        likely : Form, optional
            How a table of the same kind was written: decides where this one leaves a choice.
        **options
            Further roles and options of :meth:`from_frame` (long) or :meth:`from_wide` (wide), and of a CSV file
            ``sep`` and ``encoding``.

        Returns
        -------
        Panel

        Raises
        ------
        DataError
            When the file cannot be read, or as in :meth:`from_frame`.

        Examples
        --------
        >>> import foretide as ft
        >>> import pathlib, tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> file = pathlib.Path(folder.name, "sales.csv")
        >>> _ = file.write_text("day;sold\n2024-01-01;1,5\n2024-01-02;2,5\n2024-01-03;2\n")
        >>> ft.Panel.read(file, time="day", target="sold").origin.text()
        "Read sales.csv as utf-8, separator ';', decimal ','."
        >>> folder.cleanup()
        """
        from foretide.data.reading.surveys import build, survey_file

        return build(cls, *survey_file(path, id, time, target, backend, likely, options))

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        *,
        id: str | Sequence[str] | None = None,
        time: str = "ds",
        target: str | Sequence[str] = "y",
        past: str | Sequence[str] = (),
        future: str | Sequence[str] = (),
        static: str | Sequence[str] = (),
        cache: str | PathLike[str] | None = None,
        **options: Unpack[FrameOptions],
    ) -> Panel:
        """Open Parquet files that are larger than the memory.

        Their rows, in any order, are written once to a file of columns, which is then mapped into memory: the system
        holds of it what it has room for. A process that is killed meanwhile loses nothing; files that change are read
        anew. The panel is the one that :meth:`from_frame` makes of all rows.

        Parameters
        ----------
        path : path
            A folder, with folders such as ``shop=12`` inside as columns; a pattern, ``"sales/*.parquet"``; one file.
        id : str, sequence of str or None
            By default the column ``unique_id`` where there is one; else the files hold one series.
        time, target, past, future, static
            As in :meth:`from_frame`; ``past="rest"`` stands for all columns that have no other role.
        cache : path, optional
            Folder for the columns, which take as much room as the table; by default ``$FORETIDE_CACHE``, or
            ``~/.cache/foretide`` (see :func:`foretide.data.opened.cache.cache_folder`).
        **options
            As in :meth:`from_frame`, but for ``resample``, ``aggregate``, ``melt``, ``decimal``, ``thousands``.

        Returns
        -------
        Panel

        Raises
        ------
        DataError
            Where there are no such files, or as in :meth:`from_frame`.

        Examples
        --------
        >>> import foretide as ft
        >>> import pathlib, tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> for shop, frame in ft.synthetic.supplies(T=30, n_sites=2).panel.to_frame().groupby("unique_id"):
        ...     frame.to_parquet(pathlib.Path(folder.name, f"{shop}.parquet"), index=False)
        >>> ft.Panel.open(folder.name, target="item01", cache=pathlib.Path(folder.name, "columns")).ids
        ('site1', 'site2')
        >>> folder.cleanup()
        """
        from foretide.data.opened.opening import open_panel

        roles = {"time": time, "target": target, "past": past, "future": future, "static": static}
        return open_panel(cls, path, id, roles, cache, options)

    def __repr__(self) -> str:
        roles = ", ".join(f"{len(c)} {r}" for r, c in (("past", self.past), ("future", self.future)) if c)
        roles += f" ({len(self.categories)} text)" if self.categories else ""
        start, end = self.grid.output_times([self.first.min(), self.last.max()]) if self.ids else ("-", "-")
        return (
            f"Panel({self.n_entities} entities x {self.n_targets} targets{', ' + roles if roles else ''}; "
            f"{int(self.length.sum())} rows, every {self.grid.freq}, {start} to {end})"
        )

    def _repr_html_(self) -> str:
        from foretide.data.drawn import panel_html

        return panel_html(self)

    def plot(
        self, series: str | Iterable[str] | None = None, *, last: int | None = None, interactive: bool = False
    ) -> Drawing:
        """Draw the targets of some series over time; gaps are grey.

        Parameters
        ----------
        series : str, or iterable of str, optional
            Names as in :attr:`series`, or of entities. By default up to six, from the most typical to the least.
        last : int, optional
            Only so many steps at the end of each.
        interactive : bool
            Whether to return a plotly figure, with a list of the series.

        Returns
        -------
        matplotlib.figure.Figure or plotly.graph_objects.Figure

        Raises
        ------
        DataError
            For a series that is not there.
        MissingExtraError
            For ``interactive=True`` without the package plotly.

        Examples
        --------
        >>> import foretide as ft
        >>> figure = ft.synthetic.hourly(T=48).panel.plot()
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['x1']
        """
        from foretide.data.drawn import AT_ONCE, IN_LIST, panel_picture
        from foretide.pictures.show import show

        return show(panel_picture(self, series, last, IN_LIST if interactive else AT_ONCE), interactive=interactive)

    # ---------------------------------------------------------------- parts of it
    def until(self, time: Time) -> Panel:
        """Return the part up to and including a time. Entities that start later are dropped.

        Parameters
        ----------
        time : time
            Text, a datetime or Timestamp; an int on an integer grid.

        Returns
        -------
        Panel
            A view, nothing is copied.

        Raises
        ------
        DataError
            When nothing is left.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.synthetic.hourly(T=48).panel.until("2019-01-01 11:00").length.tolist()
        [12]
        """
        step = self.grid.step_at_or_before(time)
        keep = np.clip(step - self.first + 1, 0, self.length)
        if not keep.any():
            starts = self.grid.output_times([self.first.min()])[0]
            raise DataError(f"No series has a value up to {time!s}: the panel starts at {starts}.")
        return self.head(keep)

    def since(self, time: Time) -> Panel:
        """Return the part from a time on, the time included. Entities that end earlier are dropped.

        Parameters
        ----------
        time : time

        Returns
        -------
        Panel
            A view, nothing is copied.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.synthetic.hourly(T=48).panel.since("2019-01-02").length.tolist()
        [24]
        """
        step = self.grid.step_at_or_before(time)
        step += int(self.grid.times([step])[0] != self.grid.normalise(time))
        drop = np.clip(step - self.first, 0, self.length)
        chosen = np.flatnonzero(self.length - drop > 0)
        if not chosen.size:
            ends = self.grid.output_times([self.last.max()])[0]
            raise DataError(f"No series has a value from {time!s} on: the panel ends at {ends}.")
        later = replace(self, row0=self.row0 + drop, first=self.first + drop, length=self.length - drop)
        return later.take(chosen)

    def head(self, rows: Ints) -> Panel:
        """Return the first rows of each entity. Entities of which nothing is left are dropped.

        Parameters
        ----------
        rows : int array ``[N]``

        Returns
        -------
        Panel
            A view, nothing is copied.
        """
        keep = np.clip(rows, 0, self.length)
        chosen = np.flatnonzero(keep)
        cut = self if len(chosen) == self.n_entities else self.take(chosen)
        return cut if np.array_equal(cut.length, keep[chosen]) else replace(cut, length=keep[chosen])

    def take(self, entities: Iterable[int]) -> Panel:
        """Return the panel with some entities only.

        Parameters
        ----------
        entities : iterable of int
            Their positions.

        Returns
        -------
        Panel
            Shares the values.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.synthetic.supplies(T=30, n_sites=3).panel.take([2, 0]).ids
        ('site3', 'site1')
        """
        chosen = np.asarray(list(entities), dtype=np.int64)
        static = replace(self.static, values=self.static.values[chosen]) if self.static.names else self.static
        ids = tuple(self.ids[i] for i in chosen)
        row0, length, first = self.row0[chosen], self.length[chosen], self.first[chosen]
        return replace(self, ids=ids, row0=row0, length=length, first=first, static=static)

    def with_values(self, values: Reals) -> Panel:
        """Return the same panel over other values.

        Parameters
        ----------
        values : float array ``[R, C]``
            Of the same shape; another one is a :class:`ConfigError`.

        Returns
        -------
        Panel
        """
        if values.shape != self.values.shape:
            raise ConfigError(f"Expected values of shape {self.values.shape}, got {values.shape}.")
        return replace(self, values=values)

    def to_frame(self) -> Frame:
        """Return a long frame (id, time, columns, static columns) of the kind the panel was made from.

        Returns
        -------
        DataFrame
            One row per entity and time; one unnamed entity gives no id column. Missing cells are NaN (null in polars).

        Examples
        --------
        >>> import foretide as ft
        >>> list(ft.synthetic.hourly(T=48).panel.to_frame())
        ['ds', 'x1', 'x2', 'x3']
        """
        from foretide.data.reading.surveys import frame_of

        return frame_of(self)
