"""One contiguous float32 store per panel; a batch of windows is gathered from it by index, on the device."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from foretide.data.panel import Panel
from foretide.data.pieces import PIECE_ROWS, pieces, rows_of
from foretide.data.time.ahead import no_value_ahead
from foretide.data.windows import Windows, first_rows
from foretide.models.frame import Frame
from foretide.models.inputs import Inputs, Labels
from foretide.text import first_few
from foretide.training.calendar_table import CalendarBlocks
from foretide.training.prepare import Preparation
from foretide.typing import Array, Ints, Reals

EFFECT_ROWS = 65_536
"""Rows at once whose effect of known-future columns is computed."""


class Store:
    """Scaled values of a panel on a device.

    Parameters
    ----------
    panel : Panel
    preparation : Preparation
        What the training part taught.
    input_size, h : int
    device : torch.device or str
    """

    def __init__(
        self, panel: Panel, preparation: Preparation, *, input_size: int, h: int, device: torch.device | str = "cpu"
    ) -> None:
        self.panel, self.preparation, self.input_size, self.h = panel, preparation, input_size, h
        self.device = torch.device(device)
        self.array = preparation.values(panel)
        self.future_array = preparation.future(panel, h)
        self.calendar = preparation.calendar_table(panel, h)
        self.row0 = first_rows(panel.length)
        self.values = torch.from_numpy(self.array).to(self.device)
        self.future = None if self.future_array is None else torch.from_numpy(self.future_array).to(self.device)
        self.n_targets = panel.n_targets
        static = preparation.static(panel)
        self.static = None if static is None else torch.from_numpy(static).to(self.device)
        d = panel.n_targets
        missing = np.empty((len(self.array), d), dtype=bool)
        for piece in pieces(panel.length, 8 * d):
            missing[piece.start : piece.stop] = np.isnan(rows_of(panel, piece.start, piece.stop, slice(0, d)))
        self.observed = torch.from_numpy(~missing).to(self.device) if missing.any() else None
        self.entities = preparation.positions(panel)

    def __getstate__(self) -> dict[str, object]:
        """What a process needs to train: arrays that it can map; no panel, and nothing twice."""
        left = ("panel", "preparation", "array", "future_array", "device")
        return packed({name: value for name, value in self.__dict__.items() if name not in left})

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(unpacked(state))
        self.device = torch.device("cpu")

    @torch.no_grad()
    def effect(self, frame: Frame) -> Tensor | None:
        """What a frame makes of the known-future columns in every row and ``h`` rows after each entity's last.

        ``[R + N h, C]``; None for a frame without a basis of them, which is quick enough to ask batch by batch.
        """
        if frame.basis is None or self.future is None:
            return None
        own = self.panel.length + self.h
        entity = np.repeat(np.arange(len(own)), own)
        steps = np.arange(len(entity)) - first_rows(own)[entity] + self.panel.first[entity]
        parts = []
        for low in range(0, len(entity), EFFECT_ROWS):
            known = self.future[low : low + EFFECT_ROWS]
            if self.calendar is not None:
                rows = torch.from_numpy(self.calendar.at(steps[low : low + EFFECT_ROWS])).to(self.device)
                known = torch.cat([known, rows], dim=1)
            parts.append(frame.effect(known))
        return torch.cat(parts)

    def rows(self, windows: Windows) -> Ints:
        """Row of each cutoff in the store, ``[W]``, in short numbers where they can be."""
        row0: Ints = self.row0.astype(np.int32 if len(self.values) < 2**31 else np.int64)
        rows: Ints = row0[windows.entity] if len(row0) > 1 else np.full(len(windows), row0[0])
        rows += windows.cutoff
        return rows


class WindowBatches:
    """Windows of a store, gathered by number.

    Parameters
    ----------
    store : Store
    windows : Windows
    base : float array ``[W, H, D]``, optional
        Scaled forecasts of a base, for networks that correct it.

    Raises
    ------
    DataError
        When a known-future column has no value in a window; the message names column, series and time.
    """

    def __init__(self, store: Store, windows: Windows, base: Reals | None = None) -> None:
        self.store = store
        self._base = None if base is None else torch.as_tensor(base, dtype=torch.float32, device=store.device)
        size, device = store.input_size, store.device
        # A million windows are held by two short numbers each: first row of the lookback, and entity.
        start = store.rows(windows)
        start -= size - 1
        self._start = torch.from_numpy(start).to(device)
        self._many = store.panel.n_entities > 1
        # With one entity there is nothing to look up: a broadcast zero is its number in every window.
        local = windows.entity.astype(np.int32) if self._many else np.zeros(1, dtype=np.int32)
        self._local = torch.from_numpy(local).to(device)
        self._to_step = torch.from_numpy(store.panel.first - store.row0 + size - 1).to(device)
        self._entity = torch.from_numpy(store.entities).to(device)
        self._effects: Tensor | None = None
        self._view()
        self._check_known()

    def _view(self) -> None:
        """Strided views: window w of the store is row w of the view, and costs no memory."""
        store, size, h, d = self.store, self.store.input_size, self.store.h, self.store.n_targets
        self._past = store.values.unfold(0, size, 1)
        # The truth of a lookback that starts at row r starts at row r + size; no such view of a panel without any.
        has_truth = len(store.values) >= size + h
        self._future = store.values[size:, :d].unfold(0, h, 1) if has_truth else None
        self._observed = store.observed[size:].unfold(0, h, 1) if has_truth and store.observed is not None else None
        # Known-future columns have h rows more per entity than the values.
        self._ahead = None if store.future is None else store.future.unfold(0, size + h, 1)
        self._effect = None if self._effects is None else self._effects.unfold(0, size + h, 1)
        self._codes = self._rows = self._starts = None
        if isinstance(store.calendar, CalendarBlocks):
            self._starts = as_tensor(store.calendar.starts).to(store.device)
            self._rows = as_tensor(store.calendar.values).to(store.device)
        elif store.calendar is not None:
            self._codes = as_tensor(store.calendar.codes).to(store.device).unfold(0, size + h, 1)
            self._rows = as_tensor(store.calendar.rows).to(store.device)
        self._has_known = self._ahead is not None or store.calendar is not None

    def __len__(self) -> int:
        return len(self._start)

    def __getstate__(self) -> dict[str, object]:
        """What a process needs to train; its views are made anew."""
        names = ("store", "_base", "_start", "_local", "_to_step", "_entity", "_many", "_effects")
        return packed({name: self.__dict__[name] for name in names})

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(unpacked(state))
        self._view()

    def to(self, device: torch.device) -> None:
        """Move all to a device."""
        if device != self.store.device:
            for owner in (self.store, self):
                held = {name: value.to(device) for name, value in vars(owner).items() if isinstance(value, Tensor)}
                vars(owner).update(held)
            self.store.device = device
            self._view()

    def take_effect(self, frame: Frame) -> None:
        """Compute what a frame makes of the known-future columns once for each row, where windows share rows."""
        size = self.store.input_size + self.store.h
        if len(self) * size > len(self.store.values):
            self._effects = self.store.effect(frame)
            self._effect = None if self._effects is None else self._effects.unfold(0, size, 1)

    def inputs(self, chosen: Tensor) -> Inputs:
        """Gather the inputs of the windows numbered ``chosen`` ``[B]``."""
        return self._inputs(chosen, self._start.index_select(0, chosen))

    def _inputs(self, chosen: Tensor, start: Tensor) -> Inputs:
        store, size = self.store, self.store.input_size
        past = self._past.index_select(0, start).transpose(1, 2)
        if self._many:
            local = self._local.index_select(0, chosen)
            step, entity = start + self._to_step.index_select(0, local), self._entity.index_select(0, local)
        else:
            local, entity = self._local.expand(len(chosen)), self._entity.expand(len(chosen))
            step = start + self._to_step
        known_past = known = effect = None
        if self._has_known or self._effect is not None:
            row = start + local * store.h
            effect = None if self._effect is None else self._effect.index_select(0, row)
            if (both := self._known(row, step)) is not None:
                known_past, known = both[:, :size], both[:, size:]
        static = None if store.static is None else store.static[local]
        base = None if self._base is None else self._base[chosen]
        return Inputs(past, step, entity, store.h, known_past, known, static, base, effect)

    def _known(self, start: Tensor, step: Tensor) -> Tensor | None:
        """Known-future columns and calendar over lookback and horizon, ``[B, L + H, G]``."""
        parts = [] if self._ahead is None else [self._ahead.index_select(0, start).transpose(1, 2)]
        calendar = self.store.calendar
        if calendar is not None and self._rows is not None:
            first = step - self.store.input_size + 1 - calendar.first
            if self._codes is not None:
                parts.append(self._rows[self._codes.index_select(0, first)])
            elif self._starts is not None and isinstance(calendar, CalendarBlocks):
                steps = first[:, None] + torch.arange(self.store.input_size + self.store.h, device=first.device)
                block = steps.div(calendar.size, rounding_mode="floor")
                steps -= block * calendar.size
                # Column by column: the places of all would be many times what is found there.
                parts.append(torch.stack([self._rows[own[block] + steps] for own in self._starts.unbind(1)], dim=2))
        return torch.cat(parts, dim=2) if len(parts) > 1 else parts[0] if parts else None

    def batch(self, chosen: Tensor) -> tuple[Inputs, Labels]:
        """Gather inputs and labels; only for windows whose targets lie inside the panel."""
        chosen = chosen.to(self.store.device)
        start = self._start.index_select(0, chosen)
        assert self._future is not None
        y = self._future.index_select(0, start).transpose(1, 2)
        observed = None if self._observed is None else self._observed.index_select(0, start).transpose(1, 2)
        return self._inputs(chosen, start), Labels(y, observed)

    def spread(self, most: int, values: int = 20_000_000) -> tuple[Inputs, Labels]:
        """Gather at most ``most`` of the windows, evenly spread, and no more than so many values of their lookbacks."""
        each = self.store.input_size * self.store.values.shape[1]
        return self.batch(torch.linspace(0, len(self) - 1, min(len(self), most, max(1, values // each))).long())

    def describe(self, chosen: Tensor) -> str:
        """Series and cutoffs of some windows, in words."""
        picked, panel = self._picked(chosen.cpu().numpy()), self.store.panel
        ids = sorted({panel.ids[i] or ", ".join(panel.targets) for i in picked.entity})
        times = panel.grid.output_times(picked.steps(panel))
        return f"series {first_few([repr(i) for i in ids], 5)}; cutoffs from {times.min()} to {times.max()}"

    def _picked(self, chosen: Ints) -> Windows:
        """Return the windows of some numbers, of which only rows are kept."""
        local = self._local.cpu().numpy()
        entity = local[chosen].astype(np.int64) if self._many else np.zeros(len(chosen), dtype=np.int64)
        last = self._start.cpu().numpy()[chosen].astype(np.int64) + self.store.input_size - 1
        return Windows(entity, last - self.store.row0[entity])

    def _check_known(self) -> None:
        store, panel = self.store, self.store.panel
        if store.future_array is None or not len(self):
            return
        size, future = store.input_size + store.h, store.future_array
        parts = [np.isnan(future[low : low + PIECE_ROWS]).any(axis=1) for low in range(0, len(future), PIECE_ROWS)]
        holes = np.flatnonzero(np.concatenate(parts))
        if not len(holes):
            return
        start = self._start.cpu().numpy() + self._local.cpu().numpy() * store.h
        bad = np.searchsorted(holes, start + size) > np.searchsorted(holes, start)
        if bad.any():
            window = int(np.argmax(bad))
            missing = np.isnan(future[start[window] : start[window] + size])
            column = int(np.argmax(missing.any(axis=0)))
            picked = self._picked(np.array([window]))
            step = int(picked.steps(panel)[0]) - store.input_size + 1 + int(np.argmax(missing[:, column]))
            raise no_value_ahead(panel, int(picked.entity[0]), column, step, store.h)


# ---------------------------------------------------------------- on their way to other processes
@dataclass(frozen=True, eq=False)
class _Packed:
    """A tensor on its way."""

    array: Array


def packed(held: Mapping[str, object]) -> dict[str, object]:
    """Return what something holds with arrays in the place of tensors, which processes of a map share.

    Parameters
    ----------
    held : mapping

    Returns
    -------
    dict
    """
    return {name: _Packed(one.cpu().numpy()) if isinstance(one, Tensor) else one for name, one in held.items()}


def unpacked(held: Mapping[str, object]) -> dict[str, object]:
    """Undo :func:`packed`; tensors lie where the arrays do.

    Parameters
    ----------
    held : mapping

    Returns
    -------
    dict
    """
    return {name: as_tensor(one.array) if isinstance(one, _Packed) else one for name, one in held.items()}


def as_tensor(array: Array) -> Tensor:
    """Return a tensor on the memory of an array, also of one that only may be read: nobody writes to it here.

    Parameters
    ----------
    array : array

    Returns
    -------
    Tensor
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        return torch.from_numpy(array)
