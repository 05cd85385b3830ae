"""Records for external-dns, which a DNSEndpoint states plainly: annotations mean another thing in each of its versions.

https://kubernetes-sigs.github.io/external-dns/latest/docs/sources/crd/
"""

import ipaddress

from nucleo_cli.charts.edge.site import Json, Site, manifest

API = "externaldns.k8s.io/v1alpha1"


def objects(site: Site) -> list[Json]:
    """The DNSEndpoint of the app's domains; none where external-dns reads the hosts of its routes alone."""
    settings = site.settings
    if not settings.endpoints or not site.app.domains or not settings.edge_addresses:
        return []
    endpoints = [
        {"dnsName": host, "recordType": kind, "recordTTL": site.app.dns.ttl, "targets": targets}
        for host in site.app.domains
        for kind, targets in _targets(settings.edge_addresses).items()
    ]
    return [manifest(site, API, "DNSEndpoint", {"endpoints": endpoints})]


def _targets(addresses: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for address in addresses:
        found.setdefault(_kind(address), []).append(address)
    return found


def _kind(address: str) -> str:
    try:
        return "A" if ipaddress.ip_address(address).version == 4 else "AAAA"
    except ValueError:
        return "CNAME"
