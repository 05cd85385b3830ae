"""Rails: compiling its assets, and the folders that it writes to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Step

from . import bundle as bundles

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

    from .bundle import Bundle

ENV = {
    "RAILS_ENV": "production",
    # Read by Rails before 7.1; later ones log there and serve public/ by themselves.
    "RAILS_LOG_TO_STDOUT": "1",
    "RAILS_SERVE_STATIC_FILES": "1",
    # `rails server` writes one into the app's folder otherwise.
    "PIDFILE": "/tmp/server.pid",  # noqa: S108  in the container
    # Its cache would have to be written at each start anew.
    "BOOTSNAP_READONLY": "1",
}
LEAVE_OUT = ("/tmp/", "/log/")  # noqa: S108  patterns of the tree

_PIPELINES = ("sprockets-rails", "propshaft", "vite_rails", "shakapacker", "webpacker", "importmap-rails")
_TASK = re.compile(r"""assets:precompile|namespace\s*\(?\s*[:"']assets""")
_NOT_READ = re.compile(r"^(test|spec|features|doc|docs|log|tmp|\.github)/|^(nucleo\.yml|Procfile|Dockerfile)$|\.md$")
_BUILD_ENV = {
    "RAILS_ENV": "production",
    "RACK_ENV": "production",
    # Rails 7.1 and later know the first, others ask for the second.
    "SECRET_KEY_BASE_DUMMY": "1",
    "SECRET_KEY_BASE": "only-for-the-build",
    # What needs node, which is not here: see `warning`.
    "SKIP_JS_BUILD": "1",
    "SKIP_CSS_BUILD": "1",
    "SKIP_YARN_INSTALL": "1",
    "YARN_INSTALL": "false",
}
# Sprockets gives its list of files a random name, and notes in it, and in what it compresses, when each was changed.
_SAME_EACH_TIME = """\
Dir.glob("public/**/.sprockets-manifest-*.json").each do |file|
  list = JSON.parse(File.read(file))
  list.fetch("files", {}).each_value { |entry| entry["mtime"] = "1980-01-01T00:00:00Z" }
  list.transform_values! { |value| value.is_a?(Hash) ? value.sort.to_h : value }
  text = JSON.generate(list)
  File.delete(file)
  File.write(file.sub(/-[^-]*$/, "-#{Digest::MD5.hexdigest(text)}.json"), text)
end
Dir.glob("public/**/*.gz").each { |file| File.binwrite(file, "\\0" * 4, 4) }
"""
_SCRIPT = "/tmp/same_each_time.rb"  # noqa: S108  in the build container


def is_rails(source: Source, bundle: Bundle) -> bool:
    return "railties" in bundle.gems and source.has("config/application.rb")


def assets(source: Source, bundle: Bundle, version: str, gemfile: str | None) -> Step | None:
    """The step that compiles the assets; None where nothing of the bundle or the tree does that."""
    pipeline = next((f"{gem} of the bundle" for gem in _PIPELINES if gem in bundle.gems), None)
    if pipeline is None:
        tasks = [path for path in source.paths if path.startswith("lib/tasks/") and path.endswith(".rake")]
        pipeline = next((path for path in tasks if _TASK.search(source.read(path) or "")), None)
    if pipeline is None:
        return None
    files = {_SCRIPT: _SAME_EACH_TIME}
    if gemfile is not None:
        files[f"{source.app}/{bundle.gemfile}"] = gemfile
    return Step(
        name="assets",
        command=f"bundle exec rake assets:precompile && ruby -rjson -rdigest {_SCRIPT}",
        output=f"{source.app}/public",
        reason=f"{pipeline} compiles them",
        inputs=tuple(path for path in _read(source) if gemfile is None or path != bundle.gemfile),
        after=(bundles.STEP,),
        changed_only=True,
        env={**bundles.env(bundle, version), **_BUILD_ENV},
        files=files,
    )


def _read(source: Source) -> Iterator[str]:
    return (path for path in source.paths if not _NOT_READ.search(path))


def writable(source: Source) -> Step:
    """The step that makes tmp/ a way to /tmp: the root file system is read-only, and Rails writes there."""
    return Step(
        name="tmp",
        command="rm -rf tmp && ln -s /tmp tmp",
        output=f"{source.app}/tmp",  # noqa: S108
        reason="Rails writes there, and of the file system only /tmp is writable",
        once=True,
    )
