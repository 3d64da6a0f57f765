"""The service attacked from its own OpenAPI page: whatever comes in, it is never the service's fault."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))

from service import attempt, client

ALIKE = settings(
    max_examples=6, derandomize=True, deadline=None, database=None, phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def test_requests_made_from_the_page(folder: Any) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    from foretide.serving.app import application
    from foretide.serving.limits import Limits
    from foretide.serving.models import Shelf
    from foretide.serving.service import Service

    service = Service(Shelf([str(folder)]), Limits(rows=2000))
    schema = schemathesis.openapi.from_asgi("/openapi.json", application(service))
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 13
    statuses: set[int] = set()
    for operation in operations:

        @ALIKE
        @given(case=operation.as_strategy())
        def attack(case: Any) -> None:
            answer = case.call()
            statuses.add(answer.status_code)
            assert answer.status_code < 500, (case.as_curl_command(), answer.text)
            if answer.status_code >= 400:
                assert set(answer.json()["error"]) == {"message", "type"}

        attack()
    service.close()
    assert {200, 404, 422} <= statuses


def test_damaged_requests() -> None:
    with client() as service:
        found = {number: attempt(service.post, number, 1) for number in range(100)}
    assert {number: wrong for number, (_, wrong) in found.items() if wrong} == {}
    assert {200, 400, 422} <= {status for status, _ in found.values()}
