"""Which flows fit a question."""

from typing import Any

import pytest

from nucleo_cli.workflows.flows import Query
from tests.unit.network.test_learn import flow


@pytest.mark.parametrize(
    ("query", "said", "fits"),
    [
        (Query(), {}, True),
        (Query(dropped=True), {"verdict": "allowed"}, False),
        (Query(dropped=True), {"verdict": "audited"}, True),
        (Query(dropped=True), {"verdict": "undecided"}, True),
        (Query(to="users"), {"kind": "app", "peer": "users/users"}, True),
        (Query(to="users/users"), {"kind": "app", "peer": "users/users"}, True),
        (Query(to="203.0.113.9"), {"kind": "dns", "peer": "api.example.com"}, True),
        (Query(to="user"), {"kind": "app", "peer": "users/users"}, False),
        (Query(until=5), {"first": 6.0}, False),
        (Query(until=5), {"first": 4.0}, True),
    ],
)
def test_what_was_asked_for(query: Query, said: dict[str, Any], fits: bool) -> None:
    assert query.fits(flow(**said)) is fits
