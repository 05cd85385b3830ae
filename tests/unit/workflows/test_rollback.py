"""nucleo rollback: an old release comes back as a new one."""

from typing import Any

import pytest

from nucleo_cli.domain.release import DEPLOYED, FAILED, SUPERSEDED
from nucleo_cli.errors import Locked, NotFound, NucleoError, RolloutFailed
from nucleo_cli.workflows.config_vars import Edit, edit
from nucleo_cli.workflows.history import is_healthy
from nucleo_cli.workflows.lease import acquire
from nucleo_cli.workflows.rollback import roll_back
from tests.unit.workflows.fake_cluster import CRASH
from tests.unit.workflows.shop import Shop, mark
from tests.unit.workflows.steps import Ran, attempt, run


def rollback(app: Shop, version: int | None = None) -> Ran:
    return attempt(roll_back(app.tools, app.target, version))


def releases(app: Shop, *texts: str) -> None:
    """One deploy after the other."""
    for text in texts:
        app.write("app.py", text)
        app.deploy()


def refused(ran: Ran, kind: type[NucleoError]) -> str:
    assert isinstance(ran.error, kind), ran
    return ran.error.message


def test_to_a_release_by_its_number(app: Shop) -> None:
    releases(app, "one", "two", "three")
    done = rollback(app, 1).result
    assert (done.revision.version, done.source.version, done.undone.version) == (4, 1, 3)
    assert done.document() == {
        "app": "shop",
        "release": 4,
        "rolled_back_to": 1,
        "image": app.revisions[0].image,
        "commit": None,
    }
    assert app.pod()["image"] == app.revisions[0].image
    assert [each.status for each in app.revisions] == [SUPERSEDED, SUPERSEDED, SUPERSEDED, DEPLOYED]
    assert is_healthy(app.revisions[-1])
    assert app.cluster.names("leases") == []


def test_without_a_number_to_the_last_healthy_one_that_differs(app: Shop) -> None:
    releases(app, "one", "two")
    app.controller.fates[mark("bad")] = CRASH
    releases(app, "bad")
    assert rollback(app).result.source.image == app.revisions[0].image


def test_without_a_number_a_change_of_config_is_undone_and_done_again(app: Shop) -> None:
    releases(app, "one")
    run(edit(app.tools, app.target, Edit({"A": "1"}, {})))
    assert rollback(app).result.revision.values["config"] == {}
    assert rollback(app).result.revision.values["config"] == {"A": "1"}


def test_it_can_be_undone(app: Shop) -> None:
    releases(app, "one", "two")
    undone = rollback(app).result.undone
    assert rollback(app, undone.version).result.revision.image == app.revisions[1].image


def test_the_config_vars_come_back_too(app: Shop) -> None:
    releases(app, "one")
    run(edit(app.tools, app.target, Edit({"A": "1"}, {})))
    assert rollback(app, 1).result.revision.values["config"] == {}


def test_the_next_deploy_starts_from_what_was_brought_back(app: Shop) -> None:
    releases(app, "one", "two")
    rollback(app)
    assert app.deploy().result.changed  # the folder still holds "two"
    rollback(app)
    app.write("app.py", "one")
    assert not app.deploy(tools=app.idle).result.changed


def test_there_is_no_earlier_one(app: Shop) -> None:
    releases(app, "one")
    assert "no earlier healthy release that differs" in refused(rollback(app), NotFound)
    assert len(app.revisions) == 1


def test_a_release_that_failed_when_it_was_new(app: Shop) -> None:
    releases(app, "one")
    app.controller.fates[mark("bad")] = CRASH
    releases(app, "bad")
    assert app.revisions[1].status == FAILED
    assert refused(rollback(app, 2), NucleoError) == "release 2 failed when it was new"


def test_a_release_that_is_not_kept(app: Shop) -> None:
    releases(app, "one")
    assert refused(rollback(app, 9), NotFound) == '"shop" has no release 9; it has 1'


@pytest.mark.parametrize("version", [None, 1])
def test_an_app_that_is_not_there_gets_no_namespace(app: Shop, version: int | None) -> None:
    assert 'no app "shop"' in refused(rollback(app, version), NotFound)
    assert "shop" not in app.cluster.names("namespaces")


def test_a_release_whose_secret_is_gone(app: Shop) -> None:
    releases(app, "one")
    run(edit(app.tools, app.target, Edit({}, {"KEY": "1"})))
    name = app.running.values["secret"]["name"]
    run(edit(app.tools, app.target, Edit({}, {"KEY": "2"})))
    app.cluster.delete(f"/api/v1/namespaces/shop/secrets/{name}")
    assert f"the secrets of release 2 are gone (Secret {name})" in refused(rollback(app, 2), NotFound)
    assert len(app.revisions) == 3


def test_an_old_release_that_does_not_run_any_more_gives_way_again(app: Shop) -> None:
    releases(app, "one", "two")
    app.controller.fates[mark("one")] = CRASH
    assert refused(rollback(app), RolloutFailed)
    assert app.pod()["image"] == app.revisions[1].image
    assert [each.status for each in app.revisions] == [SUPERSEDED, SUPERSEDED, FAILED, DEPLOYED]


def test_what_a_killed_deploy_left_pending_is_closed_first(app: Shop) -> None:
    releases(app, "one", "two")
    app.helm.record("shop", "shop", 3, "pending-upgrade", {})
    assert rollback(app).result.revision.version == 4
    assert app.revisions[2].status == FAILED


def test_a_deploy_at_work_is_not_disturbed(app: Shop) -> None:
    releases(app, "one", "two")
    with run(acquire(app.cluster, app.target)):
        ran: Any = rollback(app)
    assert refused(ran, Locked)
    assert len(app.revisions) == 2
