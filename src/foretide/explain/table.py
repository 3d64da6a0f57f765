"""The one table of explanations: public names, commands, reports and the order of the page follow from it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.explain.origins import Origins
    from foretide.explain.summary import Summary
    from foretide.forecasters.base import Forecaster


@dataclass(frozen=True)
class Explainer:
    """One kind of explanation.

    Attributes
    ----------
    name : str
        Of the function, ``ft.explain.<name>``.
    module : str
        Where the function is.
    subject : str
        What it is about, as a heading.
    needs : str, optional
        Entry of ``Forecaster.explains`` that a model must have; None: it fits every model.
    slow : bool
        Whether a job makes it only when it is asked to.
    reported : bool
        Whether jobs make it at all.
    most_cutoffs : int
        Cutoffs that a job looks at, evenly spread.
    options : mapping
        What a job hands to the function besides model, panel and cutoffs.
    """

    name: str
    module: str
    subject: str
    needs: str | None = None
    slow: bool = False
    reported: bool = True
    most_cutoffs: int = 2000
    options: Mapping[str, int] = field(default_factory=dict)

    @property
    def function(self) -> Callable[..., Summary]:
        """What makes the summary; its module is imported on first use."""
        function: Callable[..., Summary] = getattr(importlib.import_module(self.module), self.name)
        return function

    def fits(self, model: Forecaster, *, slow: bool = True) -> bool:
        """Whether a job makes this of a model.

        Parameters
        ----------
        model : Forecaster
        slow : bool
            Whether the job makes slow ones.

        Returns
        -------
        bool
        """
        return self.reported and (slow or not self.slow) and (self.needs is None or self.needs in model.explains)

    def of(self, model: Forecaster, panel: Panel, origins: Origins) -> Summary:
        """Explain a model at origins spread over the windows it can be explained on.

        Parameters
        ----------
        model : Forecaster
            Fitted.
        panel : Panel
        origins : Origins

        Returns
        -------
        Summary
        """
        summary = self.function(model, panel, origins.cutoffs(self.most_cutoffs), **self.options)
        return summary.named(origins.about(self.most_cutoffs))


EXPLAINERS: dict[str, Explainer] = {
    row.name: row
    for row in (
        Explainer("attention", "foretide.explain.weights.summary", "Attention", needs="attention"),
        Explainer("dynamics", "foretide.explain.latent.summary", "Latent state", needs="latent"),
        Explainer(
            "inputs", "foretide.explain.importance.importance", "Inputs", slow=True, most_cutoffs=200,
            options={"n_repeats": 5},
        ),
        Explainer("input_gradients", "foretide.explain.importance.gradients", "Input gradients", reported=False),
    )
}  # fmt: skip
"""Name -> explanation, in the order of a report."""
