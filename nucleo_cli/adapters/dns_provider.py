"""The table of DNS providers: who keeps the records of a cluster's apps."""

from collections.abc import Collection, Mapping

from nucleo_cli.dns.model import Provider
from nucleo_cli.errors import UsageError


def provider(kind: str, credentials: Mapping[str, str], zones: Collection[str]) -> Provider:
    """The provider that a setting names: rfc2136, hosts, or lexicon:PROVIDER. UsageError for what it lacks.

    Each is imported when it is chosen, for their packages take longer than a whole command may.
    """
    if kind == "rfc2136":
        from nucleo_cli.adapters.rfc2136 import NameServer

        return NameServer.of(credentials, zones)
    if kind == "hosts":
        from nucleo_cli.adapters.hosts_file import HostsFile

        return HostsFile()
    if kind.startswith("lexicon:"):
        from nucleo_cli.adapters.lexicon import Lexicon

        return Lexicon(kind.removeprefix("lexicon:"), credentials, zones)
    raise UsageError(f"there is no DNS provider {kind}", "rfc2136, hosts, external-dns or lexicon:PROVIDER")
