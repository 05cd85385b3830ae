"""nucleo.yml: read with positions, checked, with its environment laid over it."""

from nucleo_cli.config.loading import FILE, environments, load

__all__ = ["FILE", "environments", "load"]
