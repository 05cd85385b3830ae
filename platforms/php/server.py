"""The web server: Apache with PHP in it, one family of processes that one signal stops."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Start, Step
from nucleo_cli.errors import BuildFailed

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

FOLDER = "/opt/app/server"
START = f"sh {FOLDER}/start"
ENV = {"PHP_INI_SCAN_DIR": f":{FOLDER}/php"}

_ROOTS = ("public", "web", "webroot", "pub", "htdocs", "www")
# What Heroku's Procfiles start: the same server, with the web root as the argument.
_HEROKU = re.compile(r"(?:vendor/bin/)?heroku-php-(?:apache2|nginx)\b(.*)")
_MODULES = (
    "mpm_prefork", "authz_core", "authz_host", "authz_user", "access_compat", "authn_core", "authn_file", "auth_basic",
    "alias", "dir", "env", "setenvif", "mime", "negotiation", "rewrite", "headers", "expires", "filter", "deflate",
    "remoteip", "reqtimeout",
)  # fmt: skip

_INI = """\
; On top of Debian's php.ini for production.
opcache.validate_timestamps = 0
opcache.max_accelerated_files = 20000
opcache.interned_strings_buffer = 16
realpath_cache_size = 4096K
realpath_cache_ttl = 600
; The environment of the container in $_ENV, too.
variables_order = "EGPCS"
sys_temp_dir = "/tmp"
upload_tmp_dir = "/tmp"
session.save_path = "/tmp"
; Debian cleans up sessions by cron, of which there is none here.
session.gc_probability = 1
"""

_CONF = """\
ServerRoot /usr/lib/apache2
ServerName localhost
Listen 0.0.0.0:${{PORT}}
PidFile /tmp/apache2.pid
DefaultRuntimeDir /tmp
{modules}
LoadModule php_module modules/libphp{version}.so

# By the container's memory unless WEB_CONCURRENCY says how many: see the start script.
ServerLimit ${{WEB_CONCURRENCY}}
MaxRequestWorkers ${{WEB_CONCURRENCY}}
StartServers 2
MinSpareServers 1
MaxSpareServers 4
# Under Kubernetes' 30 seconds.
GracefulShutdownTimeout 25
RequestReadTimeout header=20-40,MinRate=500 body=20,MinRate=500

ErrorLog /proc/self/fd/2
ErrorLogFormat "[%l] %M"
LogFormat "%a \\"%r\\" %>s %B %{{ms}}Tms" request
CustomLog /proc/self/fd/1 request
ServerTokens Prod
ServerSignature Off
TraceEnable Off

# What stands before it is the cluster's own.
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 127.0.0.0/8
SetEnvIf X-Forwarded-Proto "^https$" HTTPS=on

TypesConfig /etc/mime.types
AddOutputFilterByType DEFLATE text/html text/plain text/css text/xml text/javascript application/javascript
AddOutputFilterByType DEFLATE application/json application/xml image/svg+xml

# The variables of the container in $_SERVER, written at each start.
Include /tmp/apache2-env.conf

DocumentRoot "{root}"
DirectoryIndex index.php index.html
<Directory />
  AllowOverride None
  Require all denied
</Directory>
<Directory "{root}">
  AllowOverride All
  Options FollowSymLinks
  Require all granted
{fallback}</Directory>
<FilesMatch "\\.php$">
  SetHandler application/x-httpd-php
</FilesMatch>
<LocationMatch "/\\.(?!well-known/)">
  Require all denied
</LocationMatch>
{private}"""
# What lies beside the pages where the app's folder itself is the web root.
_PRIVATE = """\
<LocationMatch "^/({vendor}/|composer\\.(json|lock)|nucleo\\.yml|Procfile|package\\.json)">
  Require all denied
</LocationMatch>
"""

_START = """\
# 64 MB for each worker. Apache ends its work on WINCH, and drops it on TERM, which is what Kubernetes sends.
limit=$(cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null | head -n 1)
case "$limit" in
  *[!0-9]* | '' | ?????????????*) limit=536870912 ;;
esac
if [ -z "$WEB_CONCURRENCY" ]; then
  WEB_CONCURRENCY=$((limit / 67108864))
  if [ "$WEB_CONCURRENCY" -lt 2 ]; then WEB_CONCURRENCY=2; fi
fi
export WEB_CONCURRENCY
awk 'BEGIN {{ for (name in ENVIRON) if (name ~ /^[A-Za-z_][A-Za-z0-9_]*$/) print "PassEnv " name }}' |
  grep -v '^PassEnv HTTP_' > /tmp/apache2-env.conf
{begin}apache2 -f {folder}/apache2.conf -D FOREGROUND &
server=$!
trap 'kill -WINCH "$server"' TERM INT
while kill -0 "$server" 2>/dev/null; do
  wait "$server"
  code=$?
done
exit "$code"
"""


def root(source: Source, start: Start | None) -> tuple[str, str]:
    """The folder of what is served, relative to the app's ("" for itself), and why."""
    if start is not None and (found := _HEROKU.fullmatch(start.line.strip())):
        words = [word for word in shlex.split(found[1]) if not word.startswith("-")]
        return (words[-1].strip("/") if words else ""), start.because
    for folder in _ROOTS:
        if source.has(f"{folder}/index.php"):
            return folder, f"{folder}/index.php"
    if source.has("index.php"):
        return "", "index.php"
    if start is not None:
        return "", "no index.php"
    raise BuildFailed(
        f"There is no index.php at the top, nor in {', '.join(f'{folder}/' for folder in _ROOTS)}",
        'Say how to start it in nucleo.yml: cmd: {start: "php bin/server.php"}',
    )


def command(start: Start | None, because: str) -> Start:
    """The start command: nucleo.yml's or the Procfile's, unless that is Heroku's name for what this server is."""
    if start is None or _HEROKU.fullmatch(start.line.strip()):
        return Start(START, f"Apache with PHP, {because}")
    return start


def step(source: Source, version: str, folder: str, vendor: str, begin: str) -> Step:
    """The step that puts the server's configuration into the image."""
    top = f"{source.app}/{folder}".rstrip("/")
    conf = _CONF.format(
        modules="\n".join(f"LoadModule {name}_module modules/mod_{name}.so" for name in _MODULES),
        version=version,
        root=top,
        fallback="  FallbackResource /index.php\n" if is_front_controller(source, folder) else "",
        private="" if folder else _PRIVATE.format(vendor=re.escape(vendor)),
    )
    return Step(
        name="server",
        command=f"test -s {FOLDER}/start",
        output=FOLDER,
        reason=f"Apache serves {top}",
        once=True,
        files={
            f"{FOLDER}/apache2.conf": conf,
            f"{FOLDER}/start": _START.format(folder=FOLDER, begin=f"{begin}\n" if begin else ""),
            f"{FOLDER}/php/app.ini": _INI,
        },
    )


def is_front_controller(source: Source, folder: str) -> bool:
    """Whether index.php answers for every address: it does where it is the only page of the web root."""
    below = f"{folder}/" if folder else ""
    pages = [path for path in source.glob(f"{below}*.php") if "/" not in path.removeprefix(below)]
    return pages == [f"{below}index.php"]
