"""What a fitted model says of itself beside its forecasts."""

from __future__ import annotations

from typing import TypedDict

Line = dict[str, str | int | float | bool | None]


class Account(TypedDict, total=False):
    """What a model says of its fit; only what there is.

    Attributes
    ----------
    epochs : list of dict
        Losses and seconds by epoch, with the ``stage`` where a model learns in stages.
    start : list of dict
        What the closed-form start tried, the chosen combination first.
    buckets : list of dict
        Which target went to which head, and why.
    interventions : dict
        Reason -> how many values of forecasts were changed.
    choices : dict
        What each series got, see :meth:`foretide.forecasters.choices.Chooses.choices`, column by column.
    members : dict
        Name -> the same of the members of a blend.
    """

    epochs: list[Line]
    start: list[Line]
    buckets: list[Line]
    interventions: dict[str, int]
    choices: dict[str, list[str | float | bool]]
    members: dict[str, Account]


def account_of(model: object) -> Account:
    """Return what a fitted model says of itself.

    Parameters
    ----------
    model : object
        A fitted forecaster; nothing is asked of one that does not offer it.

    Returns
    -------
    Account
    """
    account = _account_of(model)
    choices = getattr(model, "choices", None)
    if choices is not None and len(table := choices()):
        account["choices"] = {str(name): column.tolist() for name, column in table.items()}
    return account


def _account_of(model: object) -> Account:
    """The same without its choices, among which are those of the members."""
    account: Account = {}
    epochs = getattr(model, "history", None) or []
    if isinstance(epochs, dict):
        epochs = [{"stage": stage, **line} for stage, lines in epochs.items() for line in lines]
    if epochs:
        account["epochs"] = list(epochs)
    if hasattr(model, "start_report") and (tried := model.start_report()):
        account["start"] = tried
    if hasattr(model, "bucket_table"):
        account["buckets"] = model.bucket_table().to_dict("records")
    if (interventions := getattr(model, "interventions", None)) is not None:
        account["interventions"] = dict(interventions)
    members = {f"{k}-{part.name}": _account_of(part) for k, part in enumerate(getattr(model, "members", ()))}
    if any(members.values()):
        account["members"] = members
    return account


def with_members(accounts: dict[str, Account]) -> dict[str, Account]:
    """Return accounts, each followed by those of the members of a blend, as ``Blend-0-LSTM``.

    Parameters
    ----------
    accounts : dict
        Model -> account.

    Returns
    -------
    dict
    """
    found: dict[str, Account] = {}
    for name, account in accounts.items():
        found[name] = account
        found |= {f"{name}-{part}": own for part, own in account.get("members", {}).items()}
    return found
