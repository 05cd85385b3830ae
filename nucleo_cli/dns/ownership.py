"""Whose a name is: a TXT record beside it says so, as external-dns does it.

https://kubernetes-sigs.github.io/external-dns/latest/docs/registry/txt/
"""

from dataclasses import dataclass

from nucleo_cli.dns.model import Record

_HERITAGE = "heritage=nucleo"
_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True)
class Owner:
    """An app of a cluster; `cluster` is the uid of its namespace kube-system, which no two clusters share."""

    cluster: str
    namespace: str
    app: str

    def text(self) -> str:
        """What stands in the TXT record."""
        return f"{_HERITAGE},cluster={self.cluster},app={self.namespace}/{self.app}"

    def __str__(self) -> str:
        return f"{self.namespace}/{self.app}"


def claim_name(host: str) -> str:
    """Where the TXT record of `host` stands; a wildcard's is beside the others, for it is a name of its own."""
    name = f"_nucleo-any.{host.removeprefix('*.')}" if host.startswith("*.") else f"_nucleo.{host}"
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"with {name.partition('.')[0]} before it, it is longer than {_LONGEST_NAME} characters")
    return name


def claim(host: str, owner: Owner, ttl: int = 300) -> Record:
    """The record that makes `host` the owner's."""
    return Record(claim_name(host), "TXT", (owner.text(),), ttl)


def owner_of(text: str) -> Owner | None:
    """Who wrote a claim; None for a text that is none of Nucleo's."""
    parts = {key: value for key, _, value in (part.partition("=") for part in text.split(","))}
    namespace, slash, app = parts.get("app", "").partition("/")
    if parts.get("heritage") != "nucleo" or not slash or "cluster" not in parts:
        return None
    return Owner(parts["cluster"], namespace, app)
