"""What a fit chose for each series, as a table: the same for every forecaster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.errors import NotFittedError
from foretide.forecasters.declared import Declared
from foretide.forecasters.soundness import while_forecasting

if TYPE_CHECKING:
    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.forecasters.fitted import Fitted
    from foretide.typing import Bools, Floats

COLUMNS = ("series", "setting", "value", "weight", "own")


class Chooses(Declared):
    """A forecaster that can say what was left to its fit, and what came of it."""

    chosen: ClassVar[Mapping[str, str]] = {}
    """Setting that is chosen at fit where it is None -> attribute that holds what was taken, the same for all."""
    _fitted: Fitted | None
    _loaded: str | None = None
    """The folder that it was loaded from, in words; None for one that was fitted here."""

    def choices(self) -> pd.DataFrame:
        """Return what was chosen for each series: every setting that was left to ``fit``.

        Returns
        -------
        DataFrame
            ``series, setting, value, weight, own``: a row per series and value that it takes. Weights of a setting sum
            to one; ``own`` says whether the series' own rows had a say, or whether it takes what all take. No rows for
            a model that is a formula, or whose settings were all given.

        Raises
        ------
        NotFittedError
            Before ``fit``.

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, n_series=1, seed=1).panel
        >>> ft.SeasonalES(h=24, season=24).fit(panel).choices().values.tolist()
        [['x1', 'alpha', '0.9', 1.0, False]]
        """
        if self._fitted is None:
            raise NotFittedError(f"{self.name} is not fitted. Type: model.fit(panel, until=...)")
        with self._as_loaded():
            return self._choices(self._fitted.layout)

    def _as_loaded(self) -> AbstractContextManager[None]:
        """Around a use: what fails inside a loaded forecaster is said to be a matter of its files."""
        return nullcontext() if self._loaded is None else while_forecasting(self._loaded)

    def _choices(self, layout: Panel) -> pd.DataFrame:
        """Return the table for the series of a layout (a panel without rows), those that were fitted."""
        taken = {name: getattr(self, own) for name, own in self.chosen.items() if getattr(self, name) is None}
        return same_for_all(layout.series, taken)


def same_for_all(series: Sequence[str], taken: Mapping[str, object]) -> pd.DataFrame:
    """Return the table of settings that all series share.

    Parameters
    ----------
    series : sequence of str
    taken : mapping
        Setting -> value.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> same_for_all(["a", "b"], {"alpha": 0.1}).value.tolist()
    ['0.1', '0.1']
    """
    return joined_choices([of_each(series, name, [value] * len(series), own=False) for name, value in taken.items()])


def of_each(
    series: Sequence[str], setting: str, values: Sequence[object], weights: Floats | float = 1.0,
    own: Bools | bool = True,
) -> pd.DataFrame:  # fmt: skip
    """Return the table of one setting, a row per series and value.

    Parameters
    ----------
    series : sequence of str
        ``[n]``, a name for each row.
    setting : str
    values : sequence
        ``[n]``; written as text, None for a series without one.
    weights : float array ``[n]`` or float
    own : bool array ``[n]`` or bool

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> of_each(["a", "b"], "model", ["ETS(M,A,N)", None]).values.tolist()
    [['a', 'model', 'ETS(M,A,N)', 1.0, True]]
    """
    import pandas as pd

    n, known = len(series), [value is not None for value in values]
    columns = (
        np.array(list(series), dtype=object), np.full(n, setting, dtype=object),
        np.array([_text(value) for value in values], dtype=object),
        np.broadcast_to(np.asarray(weights, dtype=np.float64), n), np.broadcast_to(np.asarray(own, dtype=bool), n),
    )  # fmt: skip
    return pd.DataFrame({name: column[known] for name, column in zip(COLUMNS, columns, strict=True)})


def joined_choices(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return tables one under the other; one without rows where there are none.

    Parameters
    ----------
    tables : sequence of DataFrame

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> list(joined_choices([]).columns)
    ['series', 'setting', 'value', 'weight', 'own']
    """
    import pandas as pd

    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else of_each([], "", [])


def of_member(table: pd.DataFrame, member: str) -> pd.DataFrame:
    """Return the table of one of several forecasters inside another, its settings under its name.

    Parameters
    ----------
    table : DataFrame
    member : str

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> of_member(same_for_all(["a"], {"alpha": 0.1}), "SeasonalES").setting[0]
    'SeasonalES: alpha'
    """
    return table.assign(setting=f"{member}: " + table["setting"].astype(object))


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)
