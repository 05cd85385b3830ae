"""The configuration of nginx for a site."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .rules import Header, Rule, Rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What a site that says nothing gets. A _headers file may say otherwise.
DEFAULT_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
_CACHE = "Cache-Control"
_YEAR = "public, max-age=31536000, immutable"
# What a page of a single-page application is never the answer for: a script that is gone is an error, not a page.
_ASSETS = (
    "css|js|mjs|cjs|map|json|xml|txt|wasm|webmanifest|ico|png|jpe?g|gif|svg|webp|avif|bmp|woff2?|ttf|otf|eot|mp[34]|webm"
    "|ogg|wav|pdf|zip|gz|br"
)
# Instead of nginx's own list, which has older names for some, and lacks others.
_TYPES = {
    "text/html": "html htm",
    "text/css": "css",
    "text/javascript": "js mjs cjs",
    "text/plain": "txt text log",
    "text/xml": "xml xsl",
    "text/csv": "csv",
    "text/markdown": "md markdown",
    "text/calendar": "ics",
    "text/vcard": "vcf",
    "text/vtt": "vtt",
    "text/yaml": "yaml yml",
    "application/json": "json map",
    "application/ld+json": "jsonld",
    "application/geo+json": "geojson",
    "application/manifest+json": "webmanifest",
    "application/rss+xml": "rss",
    "application/atom+xml": "atom",
    "application/xhtml+xml": "xhtml",
    "application/wasm": "wasm",
    "application/pdf": "pdf",
    "application/rtf": "rtf",
    "application/epub+zip": "epub",
    "application/zip": "zip",
    "application/gzip": "gz tgz",
    "application/x-tar": "tar",
    "application/x-7z-compressed": "7z",
    "application/vnd.android.package-archive": "apk",
    "application/vnd.apple.mpegurl": "m3u8",
    "application/dash+xml": "mpd",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/jpeg": "jpg jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/jxl": "jxl",
    "image/heic": "heic",
    "image/bmp": "bmp",
    "image/tiff": "tif tiff",
    "image/x-icon": "ico",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "font/ttf": "ttf",
    "font/otf": "otf",
    "application/vnd.ms-fontobject": "eot",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "audio/ogg": "ogg oga opus",
    "audio/flac": "flac",
    "audio/wav": "wav",
    "audio/midi": "mid midi",
    "video/mp4": "mp4 m4v",
    "video/webm": "webm",
    "video/ogg": "ogv",
    "video/quicktime": "mov",
    "video/mpeg": "mpg mpeg",
    "video/mp2t": "ts",
    "model/gltf-binary": "glb",
    "model/gltf+json": "gltf",
}
_TEXTS = (
    "text/css text/csv text/markdown text/plain text/xml text/javascript application/javascript application/json"
    " application/geo+json application/manifest+json application/xml application/rss+xml application/atom+xml"
    " image/svg+xml"
)

_CONFIG = """\
# Made by Nucleo; serve.sh fills in what stands between two @.
daemon off;
pid /tmp/nginx/pid;
# As many as WEB_CONCURRENCY says: nginx itself would count the cores of the node.
worker_processes @WORKERS@;
load_module modules/ngx_http_brotli_static_module.so;

events {
    worker_connections 1024;
}

http {
    client_body_temp_path /tmp/nginx/body;
    proxy_temp_path /tmp/nginx/proxy;
    fastcgi_temp_path /tmp/nginx/fastcgi;
    uwsgi_temp_path /tmp/nginx/uwsgi;
    scgi_temp_path /tmp/nginx/scgi;

    access_log /dev/stdout combined;
    server_tokens off;
    sendfile on;
    tcp_nopush on;
    absolute_redirect off;
    client_max_body_size 1m;
    # Whom the ingress speaks for, in the log.
    set_real_ip_from 10.0.0.0/8;
    set_real_ip_from 172.16.0.0/12;
    set_real_ip_from 192.168.0.0/16;
    set_real_ip_from 127.0.0.0/8;
    real_ip_header X-Forwarded-For;

    types_hash_max_size 4096;
    types {
$TYPES
    }
    default_type application/octet-stream;
    charset utf-8;
    charset_types $TEXTS;

    gzip on;
    gzip_comp_level 5;
    gzip_min_length 512;
    gzip_proxied any;
    gzip_vary on;
    gzip_types $TEXTS;
    gzip_static on;
    brotli_static on;

    # nginx makes both of a file's time, which is the same for every file of an image: a changed file of the same size
    # would be taken for the one that the browser has. @SITE@ is the hash of all that is served.
    etag off;
    if_modified_since off;
    add_header Last-Modified "";
    add_header ETag 'W/"@SITE@"';

    geo $nucleo_dollar {
        default "$";
    }
    map $request_uri $nucleo_path {
        "~^(?<nucleo_before>[^?]*)" $nucleo_before;
    }
    map $uri $nucleo_age {
        default no-cache;
$HASHED
    }
$MAPS
$ADDED

    server {
        listen @PORT@;
        root $ROOT;
        index index.html;
        recursive_error_pages on;
        $ERRORS

$FIRST
        if ($http_if_none_match ~ "@SITE@") {
            return 304;
        }
        location / {
            error_page 403 = @rules;
            $ERRORS
            try_files $uri $uri.html $uri/ @rules;
        }
        location ~ "/\\.(?!well-known(?:/|$))" {
            return 404;
        }
        location = /.well-known/apple-app-site-association {
            default_type application/json;
        }
        location @rules {
$RULES
        }
    }
}
"""


def config(root: str, hashed: Iterable[str], rules: Rules, fallback: str | None, error_page: str | None) -> str:
    """The text of nginx.conf, less what is known at the start of a container alone."""
    headers = tuple(_by_name(rules.headers))
    first = [*_https(rules.https_only), *_clean(rules.clean), *_rules(rule for rule in rules.rules if rule.forced)]
    last = [*_rules(rule for rule in rules.rules if not rule.forced), *_end(fallback)]
    parts = {
        "TYPES": "\n".join(f"        {name} {endings};" for name, endings in _TYPES.items()),
        "TEXTS": _TEXTS,
        "HASHED": "\n".join(f'        "~{pattern}" "{_YEAR}";' for pattern in hashed),
        "MAPS": "\n".join(_map(index, name, values) for index, (name, values) in enumerate(headers)),
        "ADDED": "\n".join(_added(index, name) for index, (name, _) in enumerate(headers)),
        "ROOT": f'"{root}"',
        "ERRORS": f"error_page 404 /{error_page};" if error_page else "",
        "FIRST": "\n".join(f"        {line}" for line in first),
        "RULES": "\n".join(f"            {line}" for line in last),
    }
    text = re.sub(r"\$([A-Z]+)\b", lambda found: parts[found[1]], _CONFIG)
    return re.sub(r"\n[ \n]*\n", "\n\n", text)


def _by_name(headers: Iterable[Header]) -> Iterator[tuple[str, list[Header]]]:
    """Every header with what is said of it. What is said last counts, so it comes first."""
    names = {name.lower(): name for name in (*DEFAULT_HEADERS, _CACHE)}
    said = list(headers)
    for header in said:
        names.setdefault(header.name.lower(), header.name)
    for lower, name in names.items():
        yield name, [header for header in reversed(said) if header.name.lower() == lower]


def _map(index: int, name: str, values: list[Header]) -> str:
    default = "$nucleo_age" if name == _CACHE else f'"{DEFAULT_HEADERS.get(name, "")}"'
    lines = "".join(f'        "~{header.pattern}" "{_text(header.value)}";\n' for header in values)
    return f"    map $nucleo_path $nucleo_header_{index} {{\n        default {default};\n{lines}    }}"


def _added(index: int, name: str) -> str:
    # An error is never kept for a year, whatever its path looks like.
    return f"    add_header {name} $nucleo_header_{index}{'' if name == _CACHE else ' always'};"


def _rules(rules: Iterable[Rule]) -> Iterator[str]:
    for rule in rules:
        yield f'if ($nucleo_path ~ "{rule.pattern}") {{'
        if rule.status == 200:
            yield f'    rewrite ^ "{_text(rule.target)}" last;'
        elif rule.status in (404, 410):
            yield f"    return {rule.status};"
        else:
            target = re.sub(r":([a-z_]\w*)", r"${p_\1}", _text(rule.target))
            yield f'    return {rule.status} "{target}{"" if "?" in target else "$is_args$args"}";'
        yield "}"


def _https(wanted: bool) -> Iterator[str]:
    if wanted:
        yield from ("if ($http_x_forwarded_proto = http) {", "    return 301 https://$host$request_uri;", "}")


def _clean(wanted: bool) -> Iterator[str]:
    """`/about.html` is `/about`."""
    if wanted:
        for pattern in (r"^(?<p_clean>/(?:.*/)?)index\.html$", r"^(?<p_clean>/.+)\.html$"):
            yield from (f'if ($nucleo_path ~ "{pattern}") {{', '    return 301 "$p_clean$is_args$args";', "}")


def _end(fallback: str | None) -> Iterator[str]:
    if fallback is None:
        yield "return 404;"
    else:
        yield f'if ($uri ~ "\\.(?:{_ASSETS})$") {{'
        yield "    return 404;"
        yield "}"
        yield f"rewrite ^ /{fallback} break;"


def _text(value: str) -> str:
    """For a string of nginx's: nothing in it is a variable."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "${nucleo_dollar}")
