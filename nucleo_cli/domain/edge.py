"""How an app is reached from outside of the cluster: host names of its own, their certificates and their records."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tls:
    """HTTPS of the app's own domains.

    `issuer` signs the certificates; None: the cluster's. `redirect` sends HTTP to HTTPS where there is a certificate.
    `hsts` is the max-age of Strict-Transport-Security in seconds; None: no such header.
    """

    issuer: str | None = None
    redirect: bool = True
    hsts: int | None = None


@dataclass(frozen=True, slots=True)
class Dns:
    """The records of the app's own domains; `ttl` in seconds."""

    ttl: int = 300


@dataclass(frozen=True, slots=True)
class Certificate:
    """A Secret of the type kubernetes.io/tls in the app's namespace, and the domains that it is for.

    `issuer` is who fills it: "" where it is there already, else the cert-manager issuer as KIND/NAME.
    """

    secret: str
    hosts: tuple[str, ...]
    issuer: str = ""
