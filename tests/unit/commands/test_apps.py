from typing import Any

import pytest

from nucleo_cli.errors import Exit, NotAllowed
from tests.unit.commands.observed import DEPLOYMENTS, Canned, answer, deployment

ALL = "/apis/apps/v1/deployments"
NAMESPACES = "/api/v1/namespaces"
SETTINGS = "/api/v1/namespaces/nucleo-system/configmaps/nucleo"
REFUSED = NotAllowed("you may not list that here")


def cluster(**answers: Any) -> Canned:
    return Canned({SETTINGS: {"data": {}}, "/api/v1/secrets": [], **answers})


def test_apps_with_their_state() -> None:
    routes = "/apis/gateway.networking.k8s.io/v1/httproutes"
    route = {"metadata": deployment()["metadata"], "spec": {"hostnames": ["shop.example.com"]}}
    told = answer(cluster(**{ALL: [deployment(replicas=2)], routes: [route]}), "apps", "--json")
    assert told.json == {
        "apps": [
            {
                "app": "shop",
                "namespace": "shop",
                "release": None,
                "status": None,
                "commit": None,
                "image": "shop@sha256:1",
                "url": "http://shop.example.com",
                "ready": 1,
                "desired": 2,
            }
        ]
    }


def test_no_apps_yet() -> None:
    assert answer(cluster(**{ALL: []}), "apps").out == "no apps yet: nucleo deploy releases one\n"


@pytest.mark.parametrize("namespaces", [[{"metadata": {"name": "shop"}}, {"metadata": {"name": "other"}}], REFUSED])
def test_where_not_all_may_be_read_the_namespaces_one_may_read_are(namespaces: Any) -> None:
    other = DEPLOYMENTS.replace("shop", "other")
    limited = cluster(**{ALL: REFUSED, NAMESPACES: namespaces, DEPLOYMENTS: [deployment()], other: REFUSED})
    told = answer(limited, "apps", "-a", "shop")
    assert (told.code, "shop" in told.out) == (0, True)


def test_nothing_may_be_read() -> None:
    told = answer(cluster(**{ALL: REFUSED, NAMESPACES: REFUSED, DEPLOYMENTS: REFUSED}), "apps", "-a", "shop")
    assert told.code == Exit.NOT_ALLOWED
