"""The certificates of an app's domains: which there are, and those that Nucleo signs itself.

Each domain has a Secret of its own, so that a release of yesterday finds what it names. Its content is somebody's
own (`nucleo domains cert`), signed here with the cluster's authority, or cert-manager's business.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nucleo_cli.adapters.kubernetes import path
from nucleo_cli.domain.app import App, Target
from nucleo_cli.domain.documents import Json, annotations, part, parts
from nucleo_cli.domain.edge import Certificate
from nucleo_cli.domain.events import Warned, Work
from nucleo_cli.domain.labels import of_app
from nucleo_cli.domain.settings import Settings
from nucleo_cli.errors import NotAllowed, NotFound, NucleoError
from nucleo_cli.workflows.history import History
from nucleo_cli.workflows.phases import Phase
from nucleo_cli.workflows.secrets import delete_secret

if TYPE_CHECKING:
    from nucleo_cli.adapters.kubernetes import Cluster
    from nucleo_cli.adapters.x509 import Pair

NUCLEO, OWN = "nucleo", "own"
AUTHORITY = ("nucleo-system", "nucleo-authority")
KIND = "nucleo.io/secret"
_FROM, _HOST = "nucleo.io/issuer", "nucleo.io/host"
# What browsers and systems take of a private authority is up to 825 days; a year and a month is renewed by any deploy.
DAYS = 397
_RENEWED = timedelta(days=30)


def certificates(cluster: "Cluster", app: App, settings: Settings) -> tuple[Certificate, ...]:
    """Those that the app's domains have, or will have once `sign_missing` has run; none for domains without an issuer.

    Asks nothing for an app without domains.
    """
    if not app.domains or settings.routes == "none":
        return ()
    issuer = settings.issuer if app.tls.issuer is None else app.tls.issuer
    theirs = "" if issuer == NUCLEO else issuer
    found: list[Certificate] = []
    own = {host for host, secret in secrets(cluster, app.target).items() if annotations(secret).get(_FROM) == OWN}
    for host in app.domains:
        if host in own or issuer:
            found.append(Certificate(secret_name(app.name, host), (host,), "" if host in own else theirs))
    return tuple(found)


def sign_missing(cluster: "Cluster", target: Target, wanted: Sequence[Certificate]) -> Work[None]:
    """Signs what is missing of those that are Nucleo's to fill, what ends within 30 days, and what another authority
    than the cluster's present one has signed. Warns of somebody's own that ends soon.

    Raises NotFound where the cluster has no authority, NotAllowed where it may not be read.
    """
    there = secrets(cluster, target) if wanted else {}
    to_sign = [each for each in wanted if not each.issuer]
    if not to_sign:
        return
    for each in to_sign:
        if (secret := there.get(each.hosts[0])) is not None and annotations(secret).get(_FROM) == OWN:
            yield from _warn(each.hosts[0], secret)
    ours = [each for each in to_sign if annotations(there.get(each.hosts[0], {})).get(_FROM) != OWN]
    if not ours:
        return
    signer = authority(cluster)
    stale = [each for each in ours if not _is_good(there.get(each.hosts[0]), signer)]
    if stale:
        phase = Phase("tls")
        yield phase.start("signing certificates")
        for each in stale:
            _sign(cluster, target, signer, each)
        yield phase.end(", ".join(each.hosts[0] for each in stale))


def secret_name(app: str, host: str) -> str:
    """The name of the Secret for the certificate of `host`, an A-label name of up to 253 characters."""
    return f"{app}-tls-{hashlib.sha256(host.encode()).hexdigest()[:10]}"


def secrets(cluster: "Cluster", target: Target) -> dict[str, Json]:
    """The Secrets with certificates of the app that Nucleo has written, by host."""
    selector = f"{KIND}=certificate,{of_app(target.app)}"
    found = cluster.items(path("v1", "secrets", target.namespace), labelSelector=selector)
    return {annotations(each).get(_HOST, ""): each for each in found}


def authority(cluster: "Cluster") -> "Pair":
    """The cluster's own authority: the Secret nucleo-authority of nucleo-system.

    Raises NotFound and NotAllowed with what a platform team can do.
    """
    hint = "nucleo cluster configure --issuer ClusterIssuer/NAME lets cert-manager sign instead"
    try:
        return pair(cluster.get(path("v1", "secrets", *AUTHORITY)))
    except NotFound:
        raise NotFound(
            f"the cluster has no Secret {AUTHORITY[0]}/{AUTHORITY[1]} to sign certificates with", hint
        ) from None
    except NotAllowed as error:
        raise NotAllowed(f"certificates cannot be signed: {error.message}", hint) from error


def pair(secret: Mapping[str, object]) -> "Pair":
    """The content of a Secret of the type kubernetes.io/tls."""
    from nucleo_cli.adapters.x509 import Pair

    data = part(secret, "data")
    chain, key = (base64.b64decode(data.get(name, "")).decode("utf-8", "replace") for name in ("tls.crt", "tls.key"))
    return Pair(chain, key)


def write(cluster: "Cluster", target: Target, host: str, content: "Pair", source: str) -> None:
    """Puts a certificate where the routes of `host` look for it; `source` is NUCLEO or OWN."""
    name = secret_name(target.app, host)
    labels = {"app.kubernetes.io/managed-by": "nucleo", "nucleo.io/app": target.app, KIND: "certificate"}
    body: Json = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels, "annotations": {_FROM: source, _HOST: host}},
        "type": "kubernetes.io/tls",
        "data": {
            "tls.crt": base64.b64encode(content.chain.encode()).decode(),
            "tls.key": base64.b64encode(content.key.encode()).decode(),
        },
    }
    cluster.patch(path("v1", "secrets", target.namespace, name), body, "apply")


def collect(cluster: "Cluster", history: History) -> None:
    """Deletes the certificates that Nucleo has signed and no kept release names."""
    used = {name for each in history.revisions for name in named(each.values)}
    for secret in secrets(cluster, history.target).values():
        name = str(part(secret, "metadata").get("name"))
        if name not in used and annotations(secret).get(_FROM) == NUCLEO:
            delete_secret(cluster, history.target, name)


def named(values: Mapping[str, object]) -> set[str]:
    """The Secrets with certificates that a release's routes name."""
    return {name for each in parts(values, "routes", "objects") for name in _named(each)}


def _named(manifest: Json) -> Iterator[str]:
    spec = part(manifest, "spec")
    if manifest.get("kind") == "Ingress":
        yield from (str(each.get("secretName")) for each in parts(spec, "tls"))
    for listener in parts(spec, "listeners"):
        yield from (str(each.get("name")) for each in parts(listener, "tls", "certificateRefs"))


def _is_good(secret: Json | None, signer: "Pair") -> bool:
    from nucleo_cli.adapters import x509

    if secret is None:
        return False
    content = pair(secret)
    try:
        ends = x509.read(content.chain).ends
        return ends - datetime.now(UTC) > _RENEWED and x509.signed_by(content.chain, signer.chain)
    except ValueError:
        return False


def _sign(cluster: "Cluster", target: Target, signer: "Pair", wanted: Certificate) -> None:
    from nucleo_cli.adapters import x509

    try:
        made = x509.sign(signer, wanted.hosts, DAYS)
    except ValueError as error:
        raise NucleoError(f"Secret {AUTHORITY[0]}/{AUTHORITY[1]} holds no authority: {error}") from error
    write(cluster, target, wanted.hosts[0], made, NUCLEO)


def _warn(host: str, secret: Json) -> Iterator[Warned]:
    from nucleo_cli.adapters import x509

    left = x509.read(pair(secret).chain).ends - datetime.now(UTC)
    if left < _RENEWED:
        said = f"ends in {left.days} days" if left.days >= 0 else "has expired"
        yield Warned(f"the certificate of {host} {said}", f"nucleo domains cert {host} --cert FILE --key FILE")
