"""Releases and which of them counts."""

from dataclasses import replace

import pytest

from nucleo_cli.domain.release import DEPLOYED, FAILED, PENDING, SUPERSEDED, Revision, deployed, latest

FIRST = Revision("shop", "shop", 1, SUPERSEDED, None)
SECOND = replace(FIRST, version=2, status=DEPLOYED)
THIRD = replace(FIRST, version=3, status=FAILED)


def test_the_latest_may_have_failed_while_an_older_one_is_deployed() -> None:
    revisions = [SECOND, THIRD, FIRST]
    assert latest(revisions) is THIRD
    assert deployed(revisions) is SECOND


def test_without_revisions_there_is_neither() -> None:
    assert latest([]) is None
    assert deployed([FIRST, THIRD]) is None


def test_revisions_are_compared_by_number_not_by_text() -> None:
    assert latest([replace(FIRST, version=9), replace(FIRST, version=10)]) == replace(FIRST, version=10)


@pytest.mark.parametrize("status", sorted(PENDING))
def test_a_deploy_at_work_is_pending(status: str) -> None:
    assert replace(FIRST, status=status).pending
    assert not FIRST.pending


def test_facts_are_those_of_nucleo() -> None:
    made = replace(FIRST, values={"nucleo": {"commit": "c0ffee", "image": "r/shop@sha256:1"}})
    assert made.facts["commit"] == "c0ffee"
    assert made.image == "r/shop@sha256:1"


@pytest.mark.parametrize("values", [{}, {"nucleo": None}, {"replicaCount": 1}])
def test_a_release_of_another_chart_has_none(values: dict[str, object]) -> None:
    assert replace(FIRST, values=values).facts == {}
    assert replace(FIRST, values=values).image == ""
