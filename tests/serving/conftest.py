"""A service of a few models in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from served import fitted

from foretide.forecasters.base import Forecaster

Serving = Callable[..., Any]


@pytest.fixture(scope="session")
def models() -> dict[str, Forecaster]:
    return fitted()


@pytest.fixture(scope="session")
def folder(models: dict[str, Forecaster], tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("served")
    for name, model in models.items():
        model.save(place / name)
    return place


@pytest.fixture
def serving(folder: Path) -> Iterator[Serving]:
    """A function that serves the models, with some limits, to a client in this process."""
    pytest.importorskip("fastapi", reason="the extra serve is not installed")
    from starlette.testclient import TestClient

    from foretide.serving.app import application
    from foretide.serving.guard import Tokens
    from foretide.serving.limits import Limits
    from foretide.serving.models import Shelf
    from foretide.serving.service import Service

    started: list[Service] = []

    def start(
        words: tuple[str, ...] | None = None, *, token: str | None = None, hosts: Any = None, **limits: Any
    ) -> Any:
        service = Service(Shelf(words or [str(folder)]), Limits(**limits))
        started.append(service)
        app = application(service, None if token is None else Tokens([token]), hosts)
        client = TestClient(app)
        client.service = service
        return client

    yield start
    for service in started:
        service.close()
