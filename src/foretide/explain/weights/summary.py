"""What the attention weights of a model say, over any number of windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from foretide.errors import ConfigError, DataError
from foretide.explain.origins import panel_for
from foretide.explain.summary import Summary
from foretide.explain.weights.faithfulness import Faithfulness, faithfulness_of
from foretide.explain.weights.figures import AttentionFigures
from foretide.explain.weights.regimes import N_DISTANCES, RegimeSplit, inside_of, split_by
from foretide.explain.weights.stream import Lens, Sums, lens_on
from foretide.explain.weights.words import attention_sentences, leading_distances
from foretide.explain.wording import start_words
from foretide.text import unit_of
from foretide.typing import Floats, Ints, Singles

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd

    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.explain.weights.regimes import Mask
    from foretide.forecasters.networks.attention import Attention
    from foretide.typing import Frame, Times

LIMIT_MIB, MOST_ROWS = 512, 5_000_000


@dataclass(frozen=True, eq=False)
class AttentionSummary(AttentionFigures, Summary):
    """What the attention of a fitted model says on some windows, and whether to believe it.

    Sums are kept, not weights; what needs the weights again (a regime split, a table, the test) goes over the windows
    once more. All figures of :class:`AttentionFigures` are here as well.

    Attributes
    ----------
    lens : Lens
        Model, panel and windows.
    kept : float32 array ``[N, M, H, L]`` or None
        The weights, where they were asked for.
    """

    lens: Lens | None = None
    kept: Singles | None = None
    _backend: str = "pandas"

    # ---------------------------------------------------------------- weights
    @property
    def windows(self) -> Windows:
        """The windows, ordered by entity, then time; ``[N]``."""
        return self._lens.windows

    @property
    def about(self) -> str:
        """Which windows these are, in words."""
        return self._lens.about

    @property
    def weights(self) -> Singles:
        """Weights ``[N, M, H, L]``, oldest lag first, where they were kept."""
        if self.kept is None:
            raise ConfigError(
                "The weights were not kept. Type ft.explain.attention(..., keep_weights=True), or "
                "summary.weights_of([0, 1]) for some windows; .mean_weights is their mean."
            )
        return self.kept

    def weights_of(self, places: Sequence[int] | Ints) -> Singles:
        """Weights of the windows at some places, ``[n, M, H, L]``, made anew."""
        pieces = (weights.cpu().numpy() for _, weights, _ in self._lens.weights(self._places(places)))
        return np.concatenate([np.zeros((0, *self.shape[1:]), dtype=np.float32), *pieces])

    def to_frame(self, places: Sequence[int] | None = None, *, most_rows: int = MOST_ROWS) -> Frame:
        """Return the weights as a tidy frame, of the kind (pandas or polars) the panel was made from.

        Parameters
        ----------
        places : sequence of int, optional
            Positions in :attr:`windows`; all by default.
        most_rows : int
            A larger table is refused; :meth:`write_parquet` writes it in pieces.

        Returns
        -------
        DataFrame
            ``series, cutoff, head, h_step, lag, weight``. Targets of one entity share their weights, so ``series`` is
            the entity, or its targets where it has no name.
        """
        return self._frame(self._lens.frame(self._places(places), most_rows))

    def write_parquet(self, path: str | PathLike[str], places: Sequence[int] | None = None) -> int:
        """Write the same table to a Parquet file, batch by batch, and return the number of rows."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows, writer = 0, None
        try:
            for piece in self._lens.pieces(self._places(places)):
                table = pa.Table.from_pandas(piece, preserve_index=False)
                writer = writer or pq.ParquetWriter(Path(path), table.schema, compression="zstd")
                writer.write_table(table)
                rows += len(piece)
        finally:
            if writer is not None:
                writer.close()
        return rows

    def write_npy(self, path: str | PathLike[str], places: Sequence[int] | None = None) -> tuple[int, int, int, int]:
        """Write the weights as one float32 array that ``numpy.load`` reads, batch by batch.

        Parameters
        ----------
        path : path
            Its ending is not changed.
        places : sequence of int, optional
            Windows; all by default.

        Returns
        -------
        tuple of int
            Shape: windows, heads, horizon steps (1 first), lags (oldest first).
        """
        chosen = self._places(places)
        n = len(self._lens.windows) if chosen is None else len(chosen)
        shape = (n, *self._lens.backbone.attention_shape)
        with Path(path).open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for _, weights, _ in self._lens.weights(chosen):
                file.write(np.ascontiguousarray(weights.cpu().numpy(), dtype="<f4").tobytes())
        return shape

    # ---------------------------------------------------------------- tests
    def by_regime(self, mask: Mask | None = None, *, reach: int | None = None) -> RegimeSplit:
        """Compare the figures inside and outside event windows.

        Parameters
        ----------
        mask : None, "events", bool array ``[N]``, or a truth
            Which windows are inside: those given; those near an event of a truth with an ``event_mask`` (that of
            ``ft.synthetic.hourly``); or, by default, those near a step whose forecast error stands out (beyond 4
            standard deviations of the series' errors, taken from their median).
        reach : int, optional
            A window is near an event that lies in the ``reach`` steps up to its cutoff; by default the horizon.
        """
        inside, about = inside_of(self._lens, mask, reach)
        top = self.top_lags(N_DISTANCES, by="distance")["distance"].to_numpy()
        return split_by(self._lens, inside, about, top)

    def faithfulness(self, k: int | None = None, draws: int = 39, *, seed: int = 0) -> Faithfulness:
        """Test whether the forecast needs the lags that attention points at.

        The error after masking the ``k`` most attended lags of every window, head and horizon step, against masking
        ``k`` random ones, and the error by the weights moved to random lags; nulls, size and rule of the verdict
        stand at :func:`foretide.explain.weights.faithfulness.faithfulness_of`. At most 500 windows are used.
        """
        return faithfulness_of(self._lens, k, draws, seed=seed)

    @cached_property
    def belief(self) -> Faithfulness | None:
        """:meth:`faithfulness` by its defaults, tested once; None where no window has a truth."""
        return self.faithfulness() if len(self._lens.with_truth()) else None

    # ---------------------------------------------------------------- words
    def sentences(self, *, test: bool = True) -> list[str]:
        """Plain words made from the figures.

        A distance is named when its weight is at least 5 times that of even attention and a third of the largest;
        attention is nearly even when ``exp(entropy)`` is 80 % of the lags or more; heads differ from a Jensen–Shannon
        divergence of 0.1 bits on; the focus moves when a share changes by 10 points from the first to the last step.
        Where no distance is named, or the test says *not faithful*, the text says that there is no clear pattern.

        Parameters
        ----------
        test : bool
            Whether to include :meth:`faithfulness`, which takes about as long as 80 forecasts of 500 windows.
        """
        n, heads, h, lookback = self.shape
        first = f"{self.name}, {n} windows {self._lens.about}: {heads} heads, {h} horizon steps, {lookback} lags."
        chosen = self._lens.model.start_report()
        start = start_words(chosen[0]) if chosen else ""
        belief = self.belief if test else None
        if test and belief is None:
            start += " No window has a truth, so whether to believe the weights was not tested."
        return [s.strip() for s in (first, start, *attention_sentences(self, belief)) if s.strip()]

    def brief(self) -> list[str]:
        """Where it looks, and whether to believe that."""
        focus, *_ = attention_sentences(self, self.belief)
        return [focus] if self.belief is None else [focus, self.belief.conclusion()]

    def findings(self) -> list[str]:
        """The :meth:`sentences`, and what event windows change, or why that is not known."""
        events = self._events
        if isinstance(events, RegimeSplit):
            return [*self.sentences(), events.text()]
        why = str(events).partition(" Give ")[0]  # what to type is for those who call it
        return [*self.sentences(), f"Attention inside event windows was not compared with the rest. {why}"]

    def text(self, *, test: bool = True) -> str:
        """Return the :meth:`sentences` as one paragraph."""
        return " ".join(self.sentences(test=test))

    # ---------------------------------------------------------------- reports
    def tables(self) -> dict[str, pd.DataFrame]:
        """Where it looks, how sharply, whether to believe it, and what event windows change, where there are any."""
        tables = {
            "lags_by_distance": self.lag_importance(by="distance"), "lags": self.lag_importance(),
            "entropy": self.entropy(), "top1": self.top1_counts(), "heads": self.head_profiles().table,
            "horizon": self.horizon_dependence(),
        }  # fmt: skip
        tables |= {} if self.belief is None else self.belief.tables()
        return tables | (self._events.tables() if isinstance(self._events, RegimeSplit) else {})

    def arrays(self) -> dict[str, Floats]:
        """``mean_weights`` ``[M, H, L]``."""
        return {"mean_weights": self.mean_weights}

    def named(self, windows: str) -> Self:
        """Return the summary with other words for its windows."""
        return replace(self, lens=replace(self._lens, about=windows))

    @cached_property
    def _events(self) -> RegimeSplit | DataError:
        """:meth:`by_regime` by its defaults, or why there is no such split."""
        try:
            return self.by_regime()
        except DataError as error:
            return error

    def __repr__(self) -> str:
        n, heads, h, lookback = self.shape
        top, unit = leading_distances(self), unit_of(self.freq)
        where = f"most weight {', '.join(map(str, top))} {unit} back" if len(top) else "no distance stands out"
        return f"AttentionSummary({self.name}: {n} windows x {heads} heads x {h} steps x {lookback} lags; {where})"

    def _repr_html_(self) -> str:
        table = self.top_lags(5, by="distance").to_html(index=False, float_format=lambda x: f"{x:.3g}", border=0)
        text = self.text(test="belief" in self.__dict__)
        hint = "" if "belief" in self.__dict__ else "<p>Whether to believe it: <code>.text()</code></p>"
        return f"<div><p><b>{escape(repr(self))}</b></p><p>{escape(text)}</p>{table}{hint}</div>"

    # ---------------------------------------------------------------- parts
    @property
    def _lens(self) -> Lens:
        assert self.lens is not None
        return self.lens

    def _places(self, places: Sequence[int] | Ints | None) -> Ints | None:
        if places is None:
            return None
        chosen = np.asarray(places, dtype=np.int64).reshape(-1)
        if len(chosen) and not 0 <= int(chosen.min()) <= int(chosen.max()) < self.shape[0]:
            raise ConfigError(f"places lie between 0 and {self.shape[0] - 1}, got {chosen.min()} to {chosen.max()}.")
        return chosen


def attention(
    model: Attention,
    panel: Panel | Frame,
    cutoffs: Times | Windows | None = None,
    *,
    keep_weights: bool = False,
    limit_mib: float = LIMIT_MIB,
) -> AttentionSummary:
    """Say what the attention weights of a fitted model look at, and whether the forecast needs it.

    One pass over the windows, batch by batch; memory does not grow with them (except for their index, and the weights
    where they are kept). Every window counts the same, whichever series it is from.

    Parameters
    ----------
    model : Attention
        Fitted.
    panel : Panel, pandas or polars data frame
        Values after a cutoff are read by the tests (``faithfulness``, event windows from errors) only.
    cutoffs : sequence of times, optional
        Times of the last observed step. None: every window whose horizon lies after what the model was fitted on; all
        windows of the panel where those are fewer than 30.
    keep_weights : bool
        Keep the array ``[N, M, H, L]`` as ``.weights``.
    limit_mib : float
        Most memory for it, in MiB.

    Returns
    -------
    AttentionSummary

    Raises
    ------
    ConfigError
        For a model without attention, or weights beyond the limit.
    DataError
        When no window fits.

    Notes
    -----
    The weights look at the window after season and level are taken off (``model.start_report()``), and at what the
    linear map leaves to them: they say what the model copies, not what causes the series.

    Examples
    --------
    >>> import foretide as ft
    >>> panel = ft.synthetic.planted_lags(T=160, lags=(7,), weights=(0.8,), seed=1).panel
    >>> model = ft.Attention(h=2, input_size=10, hidden=8, heads=2, epochs=0).fit(panel)
    >>> ft.explain.attention(model, panel).top_lags(1, by="distance")["distance"].tolist()
    [7]
    """
    panel = panel_for(model, panel)
    lens = lens_on(model, panel, cutoffs)
    keep = _room(lens, limit_mib) if keep_weights else None
    sums, backend = Sums.streamed(lens, keep), panel.names.backend
    return AttentionSummary(sums, panel.grid.freq, lens.seasons, model.name, lens, keep, backend)


def _room(lens: Lens, limit_mib: float) -> Singles:
    shape = (len(lens.windows), *lens.backbone.attention_shape)
    need = float(np.prod(shape, dtype=np.float64)) * 4 / 2**20
    if need > limit_mib:
        raise ConfigError(
            f"The weights of {shape[0]} windows take {need:.0f} MiB, more than limit_mib={limit_mib:g}. Type "
            f"limit_mib={int(np.ceil(need))} to allow it, give fewer cutoffs, or leave keep_weights out: all figures "
            "are there without it, and .write_parquet(path) writes the weights in pieces."
        )
    return np.empty(shape, dtype=np.float32)
