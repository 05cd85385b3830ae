"""What new rules would drop: which apps are behind the Services that rules name."""

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.config import load
from nucleo_cli.workflows.drops import apps_behind
from tests.unit.workflows.shop import Shop


def test_the_apps_behind_services(app: Shop) -> None:
    app.write("nucleo.yml", 'name: shop\nplatform: python\nnetwork: {to: ["service:db", "service:a/b", "service:c"]}\n')
    for namespace, name, selector in (("shop", "db", {"nucleo.io/app": "pg"}), ("a", "b", {"app": "b"})):
        body = {"metadata": {"name": name, "namespace": namespace}, "spec": {"selector": selector}}
        app.cluster.create(path("v1", "namespaces"), {"metadata": {"name": namespace}})
        app.cluster.create(path("v1", "services", namespace), body)
    assert apps_behind(app.cluster, load(app.folder, None)) == {"shop/db": "shop/pg"}
