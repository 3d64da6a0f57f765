"""A panel as a fitted LAVAR reads it: states of all rows, states expected ahead, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.data.windows import Windows, at_cutoffs, slide
from foretide.errors import ConfigError, DataError, NotFittedError
from foretide.explain.latent.modes import companion_of
from foretide.forecasters.lavar.latent_state import compact_rows, covariates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.data.panel import Panel
    from foretide.forecasters.lavar.lavar import LAVAR
    from foretide.forecasters.lavar.parts import Parts

    Floats = NDArray[np.float64]
    Steps = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Reading:
    """Latent states of a panel, in standard units of the training part.

    Attributes
    ----------
    panel : Panel
    parts : Parts
        The fitted model.
    h : int
    windows : Windows
        Where the state is rolled out.
    in_sample : bool
        Whether the model learned from rows after the first of the windows' cutoffs.
    x : ``[R, C]``
        What the encoder reads, scaled; entities one after the other.
    z : ``[R, K]``
    ahead : ``[W, h, K]``
    known : bool ``[R]``
        Rows with at least one observed value that the encoder reads.
    learned : bool ``[R]``
        Known rows up to the end of what ``fit`` saw; all known rows up to the last cutoff where these are too few.
    """

    panel: Panel
    parts: Parts
    h: int
    windows: Windows
    in_sample: bool
    x: Floats
    z: Floats
    ahead: Floats
    known: NDArray[np.bool_]
    learned: NDArray[np.bool_]

    @classmethod
    def of(cls, model: LAVAR, panel: Panel, cutoffs: Sequence[Any] | None) -> Reading:
        """Read a panel at cutoffs; None: all windows after what ``fit`` saw, or all windows where there are none."""
        parts = parts_of(model, panel)
        state, order = parts.state, parts.state.model.config.order
        known = _known_rows(panel, state.source)
        until = model.fitted_step(panel)
        fitted = int(np.iinfo(np.int64).max) if until is None else until
        windows = _windows(panel, known, order, model.h, cutoffs, fitted)
        in_sample = bool((windows.steps(panel) < fitted).any())
        view, at = model.view(panel, windows), windows.steps(panel)
        panel, windows = view.panel, view.windows
        if until is not None:
            fitted += int(windows.steps(panel)[0] - at[0])
        known = _known_rows(panel, state.source)
        z, ahead = state.read(panel, parts.preparation, windows, model.h, all_rows=True)
        x = covariates(panel, parts.preparation, state.source).astype(np.float64)
        step, last = _steps(panel), np.repeat(_last_cutoffs(panel, windows), panel.length)
        learned = known & (step <= fitted)
        if learned.sum() < 2 * (order * z.shape[1] + 1):
            learned = known & (step <= last)
        return cls(panel, parts, model.h, windows, in_sample, x, z, ahead, known, learned)

    @property
    def order(self) -> int:
        """Lags of the dynamics, ``p``."""
        return int(self.parts.state.model.config.order)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of what the encoder reads, ``C``."""
        panel, source = self.panel, self.parts.state.source
        return {"past": panel.past, "targets": panel.targets, "both": panel.targets + panel.past}[source]

    @property
    def latents(self) -> tuple[str, ...]:
        """Names of the latent states, ``z1 ..``."""
        return tuple(f"z{k + 1}" for k in range(self.z.shape[1]))

    def rows(self) -> Steps:
        """Row of each cutoff among the compact rows, ``[W]``."""
        return np.asarray(compact_rows(self.panel)[self.windows.entity] + self.windows.cutoff)

    def coefficients(self) -> tuple[Floats, Floats]:
        """Coefficients ``[p, K, K]``, newest lag first, and constant ``[K]``, of states in standard units.

        A GRU's are those of its linearisation at the mean state.
        """
        import torch

        state = self.parts.state
        dynamics: Any = state.model.dynamics
        with torch.no_grad():
            if state.model.config.dynamics == "var":
                a, c = (t.double().numpy() for t in dynamics.coefficients())
                c = c + a.sum(axis=0) @ state.location - state.location
            else:
                rest = torch.from_numpy(np.tile(state.location, (self.order, 1))).float()[None]
                with torch.enable_grad():
                    jacobian_of: Any = torch.autograd.functional.jacobian
                    slope = jacobian_of(dynamics.step, rest)
                a = slope[0, :, 0].transpose(0, 1).flip(0).double().numpy()
                c = dynamics.step(rest)[0].double().numpy() - state.location
        return a * state.scale / state.scale[:, None], c / state.scale

    def companion(self) -> Floats:
        """Companion matrix ``[p K, p K]`` of states in standard units, newest first."""
        return companion_of(self.coefficients()[0])

    def one_step_errors(self) -> Floats:
        """Errors of the state one step ahead, ``[n, K]``, over the learned rows."""
        rows = self._with_history(self.learned)
        return np.asarray(self.z[rows] - self._one_step(rows - 1))

    def _with_history(self, wanted: NDArray[np.bool_]) -> Steps:
        """Wanted rows whose ``p`` predecessors belong to the same entity."""
        place = _steps(self.panel) - np.repeat(self.panel.first, self.panel.length)
        return np.flatnonzero(wanted & (place >= self.order))

    def _one_step(self, cutoff_rows: Steps) -> Floats:
        """State expected one step after some rows, ``[n, K]``."""
        import torch

        from foretide.training.latent import rolled_out

        state = self.parts.state
        raw = torch.from_numpy(self.z * state.scale + state.location).float()
        found = rolled_out(state.model, raw, torch.from_numpy(cutoff_rows), 1)[:, 0].double().numpy()
        return np.asarray((found - state.location) / state.scale)

    def errors_ahead(self) -> tuple[Floats, Floats]:
        """Squared errors of rollout and persistence, ``[W, h]`` each, means over latents; NaN where not known."""
        cutoff = self.windows.cutoff[:, None] + np.arange(1, self.h + 1)
        inside = cutoff < self.panel.length[self.windows.entity][:, None]
        rows = self.rows()[:, None] + np.arange(1, self.h + 1)
        rows = np.where(inside, rows, 0)
        seen = inside & self.known[rows]
        truth, now = self.z[rows], self.z[self.rows()][:, None, :]
        return tuple(  # type: ignore[return-value]
            np.where(seen, ((truth - guess) ** 2).mean(axis=2), np.nan) for guess in (self.ahead, now)
        )


def parts_of(model: Any, panel: Panel) -> Parts:
    """Return what a fitted LAVAR is made of, after a check that the panel has its columns."""
    from foretide.forecasters.lavar.lavar import LAVAR

    if not isinstance(model, LAVAR):
        name = getattr(model, "name", type(model).__name__)
        raise ConfigError(
            f"Only a LAVAR has a latent state, got {name}. Type ft.explain.dynamics(ft.LAVAR(h=14).fit(panel), panel); "
            "for the inputs of other models, ft.explain.inputs."
        )
    if model.parts_ is None or model._fitted is None:
        raise NotFittedError(f"{model.name} is not fitted. Type: model.fit(panel, until=...)")
    model._fitted.check(panel, model.name)
    return model.parts_


def _windows(
    panel: Panel, known: NDArray[np.bool_], order: int, h: int, cutoffs: Sequence[Any] | None, fitted: int
) -> Windows:
    if cutoffs is not None:
        return at_cutoffs(panel, cutoffs, min_history=order)
    found = slide(panel, input_size=order, h=h)
    seen = known[compact_rows(panel)[found.entity] + found.cutoff]
    later = seen & (found.steps(panel) >= fitted)
    found = found[later if later.any() else seen]
    if not len(found):
        raise DataError(
            f"No window fits: {order} rows up to a cutoff and {h} after it are needed, the longest series has "
            f"{int(panel.observed.max())} observed rows. Give longer series, or cutoffs=[...]."
        )
    return found


def _known_rows(panel: Panel, source: str) -> NDArray[np.bool_]:
    d, c = panel.n_targets, panel.n_targets + len(panel.past)
    low, high = {"past": (d, c), "targets": (0, d), "both": (0, c)}[source]
    return np.concatenate([(~np.isnan(panel.rows(i)[:, low:high])).any(axis=1) for i in range(panel.n_entities)])


def _steps(panel: Panel) -> Steps:
    """Grid step of each compact row, ``[R]``."""
    return np.concatenate([panel.first[i] + np.arange(panel.length[i]) for i in range(panel.n_entities)])


def _last_cutoffs(panel: Panel, windows: Windows) -> Steps:
    """Step of each entity's last cutoff, ``[N]``; before all rows where it has none."""
    last = np.full(panel.n_entities, np.iinfo(np.int64).min)
    np.maximum.at(last, windows.entity, windows.steps(panel))
    return last
