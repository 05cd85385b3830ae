"""The registry as an outsider sees it: what is in it, and how large; and images put together by hand."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from typing import Any

import httpx

Json = dict[str, Any]

_INDEX = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_ACCEPT = ", ".join((*_INDEX, _MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"))
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_PAGE = 1000


class Store:
    """A registry of this machine."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._client = httpx.Client(base_url=f"http://{address}/v2/", trust_env=False, timeout=120)

    def close(self) -> None:
        self._client.close()

    def repositories(self, prefix: str) -> list[str]:
        """The names that begin with `prefix`."""
        found: list[str] = []
        query: dict[str, str | int] = {"n": _PAGE, "last": prefix}
        while True:
            page: list[str] = self._get("_catalog", query).json()["repositories"] or []
            found += [name for name in page if name.startswith(prefix)]
            if len(page) < _PAGE or not page[-1].startswith(prefix):
                return found
            query["last"] = page[-1]

    def tags(self, repository: str) -> list[str]:
        answer = self._client.get(f"{repository}/tags/list")
        return [] if answer.status_code == 404 else answer.json()["tags"] or []

    def image(self, repository: str, reference: str, architecture: str) -> Json:
        """The manifest of an image, or of the one for `architecture` where it is an index."""
        body = self._manifest(repository, reference).json()
        if "manifests" not in body:
            return body
        mine = next(each for each in body["manifests"] if each.get("platform", {}).get("architecture") == architecture)
        return self._manifest(repository, mine["digest"]).json()

    def config(self, repository: str, image: Json) -> Json:
        return self._get(f"{repository}/blobs/{image['config']['digest']}").json()

    def size(self, repository: str, reference: str, architecture: str) -> int:
        """Bytes of all blobs of an image, compressed as they are stored and pulled."""
        image = self.image(repository, reference, architecture)
        return sum(each["size"] for each in (image["config"], *image["layers"]))

    def mirror(self, source: str, target: str) -> None:
        """All that a repository has under a tag, in another one too; nothing is sent."""
        for tag in self.tags(source):
            self._copy(source, target, tag)

    def put(self, repository: str, tag: str, layers: Iterable[Json], config: Json, origin: str) -> None:
        """An image of layers that repository `origin` has."""
        layers = [{**layer, "mediaType": _LAYER} for layer in layers]  # one kind in one manifest
        for layer in layers:
            self._mount(origin, repository, layer["digest"])
        raw = json.dumps(config, sort_keys=True).encode()
        named = {"mediaType": _CONFIG, "digest": self.upload(repository, raw), "size": len(raw)}
        body = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": named, "layers": layers}
        self._put_manifest(repository, tag, json.dumps(body).encode(), _MANIFEST)

    def upload(self, repository: str, content: bytes) -> str:
        """A blob; its digest."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        begun = self._client.post(f"{repository}/blobs/uploads/").raise_for_status()
        where = httpx.URL(begun.headers["location"]).copy_merge_params({"digest": digest})
        self._client.put(where, content=content).raise_for_status()
        return digest

    def layer(self, repository: str, path: str, content: str) -> tuple[Json, str]:
        """Uploads a layer of one file; how a manifest names it, and its diff id."""
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w") as tar:
            member = tarfile.TarInfo(path)
            member.size = len(content.encode())
            tar.addfile(member, io.BytesIO(content.encode()))
        packed = gzip.compress(plain.getvalue(), mtime=0)
        named = {"mediaType": _LAYER, "digest": self.upload(repository, packed), "size": len(packed)}
        return named, f"sha256:{hashlib.sha256(plain.getvalue()).hexdigest()}"

    def _copy(self, source: str, target: str, reference: str) -> None:
        found = self._manifest(source, reference)
        for child in found.json().get("manifests", []):
            self._copy(source, target, child["digest"])
        for blob in _blobs(found.json()):
            self._mount(source, target, blob)
        self._put_manifest(target, reference, found.content, found.headers["content-type"])

    def _mount(self, source: str, target: str, digest: str) -> None:
        if source != target:
            query = {"mount": digest, "from": source}
            self._client.post(f"{target}/blobs/uploads/", params=query).raise_for_status()

    def _manifest(self, repository: str, reference: str) -> httpx.Response:
        headers = {"accept": _ACCEPT}
        return self._client.get(f"{repository}/manifests/{reference}", headers=headers).raise_for_status()

    def _put_manifest(self, repository: str, reference: str, raw: bytes, media_type: str) -> None:
        headers = {"content-type": media_type}
        path = f"{repository}/manifests/{reference}"
        self._client.put(path, content=raw, headers=headers).raise_for_status()

    def _get(self, path: str, query: dict[str, str | int] | None = None) -> httpx.Response:
        return self._client.get(path, params=query).raise_for_status()


def _blobs(manifest: Json) -> Iterator[str]:
    if "config" in manifest:
        yield manifest["config"]["digest"]
    for layer in manifest.get("layers", []):
        yield layer["digest"]
