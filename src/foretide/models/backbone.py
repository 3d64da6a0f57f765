"""What every backbone promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import nn

from foretide.models.frame import Frame
from foretide.models.inputs import Feedback, Hidden, Inputs, Labels, Shape


class Backbone(nn.Module, ABC):
    """Windows in, hidden features out, inside a frame; it knows no distribution.

    Parameters
    ----------
    frame : Frame
    shape : Shape
    features : int
        Width ``K`` of the features handed to the head.
    """

    def __init__(self, frame: Frame, shape: Shape, features: int) -> None:
        super().__init__()
        self.frame, self.shape, self.features = frame, shape, features

    def begin(self, inputs: Inputs, labels: Labels) -> None:
        """Look at some training windows before the first step, and add what they ask for; the forecast stays.

        Parameters
        ----------
        inputs : Inputs
        labels : Labels
        """

    def settle(self) -> None:
        """Drop what was added and training made no use of; the forecast stays."""

    def begun(self) -> dict[str, bool]:
        """Return what :meth:`begin` added, as JSON; with the state dict it rebuilds the backbone."""
        return {}

    def begin_again(self, begun: Mapping[str, bool]) -> None:
        """Add the same, for a state dict to fill.

        Parameters
        ----------
        begun : mapping
            From :meth:`begun`.
        """

    @abstractmethod
    def forward(self, inputs: Inputs, feedback: Feedback) -> Hidden:
        """Return what the head needs.

        Parameters
        ----------
        inputs : Inputs
            A batch of windows.
        feedback : Feedback
            Gives an autoregressive decoder its previous value.

        Returns
        -------
        Hidden
        """
