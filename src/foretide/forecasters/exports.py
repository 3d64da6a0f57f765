"""What else a fitted forecaster can do: forecast under another known future, and be written as a graph."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from foretide.errors import ConfigError, NotFittedError
from foretide.forecasters.gaussian import require
from foretide.forecasters.kept import Kept
from foretide.forecasters.levels import DEFAULT_LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike

    from foretide.data.panel import Panel
    from foretide.forecasters.base import Forecaster
    from foretide.forecasters.what_if import WhatIf
    from foretide.typing import Frame, Times


class Exports(Kept):
    """Compares futures, and writes what was learned as an ONNX graph, where the class knows how."""

    exports: ClassVar[str | None] = None
    """``module:class`` of its graph, made by ``of(model)``; None: it cannot be written as one."""

    def compare(
        self, panel: Panel | Frame, changes: Mapping[str, object], *, cutoffs: Times | None = None,
        levels: float | Iterable[float] = DEFAULT_LEVELS, h: int | None = None, n: int = 1000, seed: int = 0,
    ) -> WhatIf:  # fmt: skip
        """Forecast once more under another known future, and say what differs.

        A difference is what the model has learned to go together with a column, an association; it is not what
        changing the column would cause.

        Parameters
        ----------
        panel : Panel, pandas or polars data frame
            As for ``predict``, with the known-future columns over the whole horizon.
        changes : mapping
            Known-future columns and what they are to hold in every step ahead: ``{"promo": 0}``; one value for each
            step, ``{"price": [9.9, 9.9, 8.5]}``; an array ``[N, H]``; or a function of what they hold, an array
            ``[N, H]``: ``{"price": lambda x: 0.9 * x}``. Several scenarios at once by their names:
            ``{"no promotion": {"promo": 0}, "cheap": {"price": 8.5, "promo": 1}}``.
        cutoffs, levels, h
            As for ``predict``. The levels are those of the forecasts and of the differences.
        n, seed : int
            Paths from which the intervals of differences come, drawn with the same random numbers for all scenarios.

        Returns
        -------
        WhatIf
            With ``to_frame()``, ``total()``, ``plot()``, ``sentences()``.

        Raises
        ------
        ConfigError
            For columns that are not known ahead, and values that do not fit.
        DataError
            Where the table does not reach over the horizon, and as ``predict``.

        Examples
        --------
        >>> import numpy as np, pandas as pd, foretide as ft
        >>> days = pd.date_range("2024-01-01", periods=127)
        >>> promo = np.arange(127) % 3 == 0
        >>> frame = pd.DataFrame({"unique_id": "a", "ds": days, "y": 10.0 + 5.0 * promo, "promo": 1.0 * promo})
        >>> frame.loc[120:, "y"] = np.nan
        >>> panel = ft.Panel.from_frame(frame, future=["promo"])
        >>> found = ft.Ridge(h=7, input_size=7).fit(panel).compare(panel, {"promo": 0})
        >>> found
        WhatIf(Ridge: 1 origins x 7 steps x 1 targets, promo=0)
        >>> found.difference().ravel().round().tolist()
        [-5.0, 0.0, 0.0, -5.0, 0.0, 0.0, -5.0]
        """
        from foretide.forecasters.what_if import what_if

        model = cast("Forecaster", self)
        return what_if(model, model._read(panel), changes, cutoffs, levels, h, n, seed)

    def export_onnx(self, path: str | PathLike[str]) -> Path:
        """Write the fitted model as an ONNX file, which runs without torch and foretide.

        The file forecasts the series that were fitted, any number of windows at a time, from original values to
        original units: scales, closed-form start, network and head are inside. It says of itself, as JSON under the key
        ``foretide`` of its metadata, what it reads and what it returns. ``docs/export.md`` has a runner of a page.

        Parameters
        ----------
        path : path
            New, or a file that was written by this method before, which is replaced.

        Returns
        -------
        Path
            Where it lies.

        Raises
        ------
        ConfigError
            For a model that cannot be written so, with those that can.
        NotFittedError
            Before ``fit``.
        MissingExtraError
            Without the packages of the extra ``onnx``.
        StorageError
            Where another file is in the way.

        Examples
        --------
        >>> import foretide as ft
        >>> ft.SeasonalNaive(h=24).export_onnx("model.onnx")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        foretide.errors.ConfigError: SeasonalNaive cannot be written as ONNX. These can: LSTM, Attention, ...
        """
        if not self.exports:
            from foretide.forecasters.table import FORECASTERS, forecaster_class

            able = [name for name in FORECASTERS if forecaster_class(name).exports]
            raise ConfigError(f"{self.name} cannot be written as ONNX. These can: {', '.join(able)}.")
        if self._fitted is None:
            raise NotFittedError(f"{self.name} is not fitted. Type: model.fit(panel, until=...)")
        for package in ("torch", "onnx", "onnxscript"):
            require(package, "export_onnx")
        from foretide.forecasters.onnx.file import write_graph

        module, _, name = self.exports.partition(":")
        graph = getattr(importlib.import_module(module), name).of(self)
        return write_graph(graph, cast("Forecaster", self), Path(path))
