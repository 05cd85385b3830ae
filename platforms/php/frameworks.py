"""What Laravel and Symfony need beyond plain PHP: their modes, logs, and the folders that they write to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

    from .composer import Manifest


@dataclass(frozen=True, slots=True)
class Framework:
    """`env` is for image and scripts, `then` a command that ends the build, `begin` one that begins each start."""

    name: str
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    then: str = ""
    begin: str = ""


# Its configuration is never cached at build: that would freeze the environment of the build into the image.
LARAVEL = Framework(
    "Laravel",
    env={
        "APP_ENV": "production",
        "APP_DEBUG": "false",
        "LOG_CHANNEL": "stderr",
        "LARAVEL_STORAGE_PATH": "/tmp/storage",  # noqa: S108  what is writable
        "VIEW_COMPILED_PATH": "/tmp/storage/framework/views",  # noqa: S108
    },
    begin="mkdir -p /tmp/storage && cp -R --no-clobber storage/. /tmp/storage",
)
# What the compiled container says of when it was made, and the number made of that: its content's instead.
_SAME_EACH_TIME = (
    "file=$(echo var/cache/prod/*Container.php)",
    """sed -i -E "s/('container.build_time' => )[0-9]+/\\1$SOURCE_DATE_EPOCH/" "$file\"""",
    """sed -i -E "s/('container.build_id' => ')[0-9a-f]+/\\1/" "$file\"""",
    "id=$(find var/cache/prod -type f | LC_ALL=C sort | xargs -d '\\n' cat | sha256sum | cut -c1-8)",
    """sed -i "s/'container.build_id' => '/&$id/" "$file\"""",
)
# Its cache holds no values of the environment, and is part of the image; what it writes later goes to /tmp.
SYMFONY = Framework(
    "Symfony",
    env={"APP_ENV": "prod", "APP_DEBUG": "0"},
    then=" && ".join(
        (
            "php bin/console cache:warmup",
            "rm -rf var/log var/share var/cache/prod/pools",
            "ln -s /tmp var/log",
            "ln -s /tmp var/share",
            "ln -s /tmp var/cache/prod/pools",
            *_SAME_EACH_TIME,
        )
    ),
)


def find(source: Source, manifest: Manifest | None) -> Framework | None:
    """The framework whose command line tool and package are there."""
    if manifest is None:
        return None
    if "laravel/framework" in manifest.locked and source.has("artisan"):
        return LARAVEL
    if "symfony/framework-bundle" in manifest.locked and source.has("bin/console"):
        return SYMFONY
    return None
