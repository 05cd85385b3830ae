"""Objects of the API, as short as they can be."""

from typing import Any

from nucleo_cli.agent.world import World

Json = dict[str, Any]


def meta(namespace: str, name: str, labels: dict[str, str] | None = None, **more: Any) -> Json:
    return {"namespace": namespace, "name": name, "labels": labels or {}, **more}


def pod(name: str, address: str, app: str, namespace: str = "shop", **more: Any) -> Json:
    ports = [{"name": "http", "containerPort": 8080}]
    return {
        "metadata": meta(namespace, name, {"nucleo.io/app": app}, uid=f"uid-{name}"),
        "spec": {"nodeName": "here", "containers": [{"name": "web", "ports": ports}], **more},
        "status": {"phase": "Running", "podIPs": [{"ip": address}]},
    }


def service(name: str, address: str, app: str, namespace: str = "shop", **ports: Any) -> Json:
    spec = {"selector": {"nucleo.io/app": app}, "clusterIP": address, "clusterIPs": [address]}
    return {"metadata": meta(namespace, name), "spec": {**spec, "ports": [{"port": 80, "targetPort": 8080, **ports}]}}


def network(egress: list[Json] | None = None, ingress: list[Json] | None = None, **more: Any) -> Json:
    spec: Json = {"mode": "Enforce", "podSelector": {"matchLabels": {"nucleo.io/app": "shop"}}, **more}
    spec |= {key: value for key, value in (("egress", egress), ("ingress", ingress)) if value is not None}
    return {"metadata": meta("shop", "shop", generation=1), "spec": spec}


def world(*objects: tuple[str, Json]) -> World:
    made = World("here", frozenset({"192.0.2.1"}))
    for kind, each in objects:
        made.take(kind, "ADDED", each)
    return made


def tcp(first: int, last: int | None = None) -> Json:
    return {"protocol": "TCP", "first": first, "last": last or first}
