"""The hosts file of this machine, for names of a laptop's own: each line of ours says whose it is, in a comment."""

import ipaddress
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from nucleo_cli.dns.model import Change, Record
from nucleo_cli.dns.ownership import claim_name, owner_of
from nucleo_cli.errors import NotAllowed, UsageError


class HostsFile:
    """A Provider over /etc/hosts, or what NUCLEO_HOSTS_FILE names.

    https://man7.org/linux/man-pages/man5/hosts.5.html
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or Path(os.environ.get("NUCLEO_HOSTS_FILE", "/etc/hosts"))
        self.server = str(self.file)

    def zone(self, name: str) -> str:
        """All names are of one zone. Raises UsageError for a wildcard, which the file does not know."""
        if name.startswith("*."):
            raise UsageError(f"a hosts file has no wildcards: {name}", "name each host in domains:")
        return ""

    def read(self, zone: str, names: Collection[str]) -> list[Record]:  # noqa: ARG002 - there is one
        """The addresses of the names, and whose lines they are."""
        found: dict[tuple[str, str], list[str]] = {}
        for line in self._lines():
            address, hosts, comment = _parsed(line)
            for host in set(hosts) & set(names):
                found.setdefault((host, "AAAA" if ":" in address else "A"), []).append(address)
            if owner_of(comment):
                found |= {(claim_name(host), "TXT"): [comment] for host in hosts if claim_name(host) in names}
        return [Record(name, kind, tuple(values), 0) for (name, kind), values in found.items()]

    def apply(self, zone: str, changes: Sequence[Change]) -> None:  # noqa: ARG002 - there is one
        """Writes the file once; in place, for containers have it mounted."""
        lines = [line for line in self._lines() if not any(_is_of(line, change) for change in changes)]
        new = [line for change in changes for line in _written(change)]
        text = "".join(f"{line}\n" for line in (*lines, *new))
        try:
            self.file.write_text(text)
        except OSError as error:
            wanted = "; ".join(new) or "the lines of the app taken out"
            hint = f"as root, have in it: {wanted}" if new else "as root, take the lines of the app out of it"
            raise NotAllowed(f"{self.file} cannot be written: {error.strerror}", hint) from error

    def _lines(self) -> list[str]:
        try:
            return self.file.read_text().splitlines()
        except FileNotFoundError:
            return []


def _parsed(line: str) -> tuple[str, list[str], str]:
    """Address, hosts and comment."""
    content, _, comment = line.partition("#")
    address, *hosts = content.split() or [""]
    return address, [host.lower() for host in hosts], comment.strip()


def _is_of(line: str, change: Change) -> bool:
    _, hosts, comment = _parsed(line)
    return change.name in hosts and comment == change.claim.values[0]


def _written(change: Change) -> Iterator[str]:
    for record in change.new:
        for value in record.values:
            yield f"{_address(value, change.name)} {change.name} # {change.claim.values[0]}"


def _address(value: str, host: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError as error:
        raise UsageError(
            f"a hosts file leads to addresses only, and {host} would lead to {value}",
            "nucleo cluster configure --edge-addresses",
        ) from error
