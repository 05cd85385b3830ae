"""What a site says about its URLs: redirects, rewrites and headers, from the files of Netlify and of Heroku."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from nucleo_cli.errors import BuildFailed

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

STATIC_JSON, NETLIFY_TOML, REDIRECTS, HEADERS = "static.json", "netlify.toml", "_redirects", "_headers"

_STATUSES = (200, 301, 302, 303, 307, 308, 404, 410)
_CONDITION = re.compile(r"^(?:Country|Language|Role|Cookie)=", re.IGNORECASE)
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
_KNOWN = frozenset(
    ("root", "clean_urls", "routes", "redirects", "error_page", "headers", "https_only", "proxies", "basic_auth")
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A path and where it leads. `pattern` is a regular expression; `target` may use the names of its groups.

    With status 200 the target is what is shown. A file that is there wins over a rule that is not `forced`.
    """

    pattern: str
    target: str
    status: int
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """A header for the paths that match."""

    pattern: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Rules:
    """All that the files say. `folder` is the one to serve, where they name one."""

    folder: str | None = None
    folder_because: str = ""
    rules: tuple[Rule, ...] = ()
    headers: tuple[Header, ...] = ()
    error_page: str | None = None
    clean: bool = False
    https_only: bool = False
    warnings: tuple[str, ...] = ()


def settings(source: Source) -> Rules:
    """What static.json and netlify.toml at the top say. Raises BuildFailed for what cannot be read or done."""
    if source.has(STATIC_JSON):
        return _static_json(_json(source))
    return _netlify(_toml(source)) if source.has(NETLIFY_TOML) else Rules()


def with_files(found: Rules, source: Source, folder: str) -> Rules:
    """And what _redirects and _headers say, in the folder that is served or at the top."""
    places = dict.fromkeys((f"{folder}/" if folder else "", ""))
    redirects = next((f"{place}{REDIRECTS}" for place in places if source.has(f"{place}{REDIRECTS}")), "")
    headers = next((f"{place}{HEADERS}" for place in places if source.has(f"{place}{HEADERS}")), "")
    rules, warnings = _redirects(redirects, source.read(redirects) or "") if redirects else ((), ())
    return replace(
        found,
        rules=(*rules, *found.rules),
        headers=(*found.headers, *_headers(headers, source.read(headers) or "")),
        warnings=(*found.warnings, *warnings),
    )


def pattern(path: str) -> str:
    """A path of Netlify as a regular expression: `*` at its end is the splat, `:name` is one part of the path."""
    parts = re.split(r"(/\*$|\*$|:\w+)", path.rstrip("/") or "/")
    done = "".join(
        "(?:/+(?<p_splat>.*))?"
        if part == "/*"
        else "(?<p_splat>.*)"
        if part == "*"
        else f"(?<p_{part[1:]}>[^/]+)"
        if part.startswith(":")
        else _literal(part)
        for part in parts
    )
    return f"^{done}$" if done.endswith((")?", ".*)")) or done == "/" else f"^{done}/?$"


def glob(path: str) -> str:
    """A path of static.json: `**` is anything, `*` one part of the path."""
    parts = re.split(r"(\*\*|\*)", path)
    return f"^{''.join({'**': '.*', '*': '[^/]*'}.get(part) or _literal(part) for part in parts)}$"


def _literal(text: str) -> str:
    """As it stands in a request: what is not ASCII is written in percent signs there."""
    return re.sub(r"([.+?^$(){}|\[\]\\])", r"\\\1", quote(text, safe="/%:@!$&'()*+,;=~-._[]^{}|\\"))


def _redirects(file: str, text: str) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    rules: list[Rule] = []
    warnings: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split() if line.lstrip().startswith("#") else re.sub(r"\s#.*", "", line).split()
        if not words:
            continue
        conditions = [word for word in words if _CONDITION.match(word)]
        query = [word for word in words[1:] if re.match(r"^\w+=", word) and word not in conditions]
        if conditions or query:
            warnings.append(
                f"{file}:{number}: {(conditions or query)[0]} is a condition that is not looked at; left out"
            )
            continue
        status = words[2] if len(words) > 2 else "301"
        if len(words) < 2 or not words[0].startswith(("/", "http")) or not re.fullmatch(r"\d+!?", status):
            raise BuildFailed(
                f"{file}:{number}: {line.strip()!r} is no redirect",
                "Write: /from /to 301, for example: /old/* /new/:splat",
            )
        rule = Rule(pattern(words[0]), words[1], int(status.rstrip("!")), status.endswith("!"))
        if words[0].startswith("http"):
            warnings.append(f"{file}:{number}: a rule for another host is left out: {words[0]}")
        elif problem := _cannot(rule):
            warnings.append(f"{file}:{number}: {problem}")
        else:
            rules.append(rule)
    return tuple(rules), tuple(warnings)


def _cannot(rule: Rule) -> str | None:
    if rule.status not in _STATUSES:
        return f"the status {rule.status} is not one of {', '.join(map(str, _STATUSES))}; left out"
    if rule.status == 200 and rule.target.startswith("http"):
        return f"requests are not passed on to {rule.target}: files alone are served; left out"
    if rule.status in (200, 404, 410) and re.search(r":\w+", rule.target):
        return f"the file {rule.target} cannot depend on the path; left out"
    return None


def _headers(file: str, text: str) -> Iterator[Header]:
    path = ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        if not line.startswith((" ", "\t")):
            path = bare
            continue
        name, colon, value = bare.partition(":")
        if not colon or not path or not _HEADER_NAME.fullmatch(name.strip()):
            raise BuildFailed(
                f"{file}:{number}: {bare!r} is no header",
                "Write a path, and below it, indented, lines like: Name: value",
            )
        yield _header(pattern(path), name.strip(), value.strip(), file)


def _header(path: str, name: str, value: str, file: str) -> Header:
    if name.lower() == "basic-auth":
        raise _no_password(file)
    return Header(path, name, value)


def _no_password(file: str) -> BuildFailed:
    return BuildFailed(
        f"{file} asks for a password, which this platform does not do: everybody would see the site",
        "Put a proxy that signs people in before it, or remove that line if everybody may",
    )


def _static_json(document: Mapping[str, Any]) -> Rules:
    if document.get("basic_auth"):
        raise _no_password(STATIC_JSON)
    unknown = [f"{STATIC_JSON}: {key} is not known, and does nothing" for key in document if key not in _KNOWN]
    proxies = [f"{STATIC_JSON}: requests for {path} are not passed on" for path in _table(document, "proxies")]
    rules = [Rule(glob(path), *_target(value)) for path, value in _table(document, "redirects").items()]
    for path, value in _table(document, "routes").items():
        target = str(_as_table(value, "path").get("path", ""))
        rules.append(Rule(glob(path), f"/{target.lstrip('/')}", 200))
    headers = [
        _header(glob(path), str(name), str(value), STATIC_JSON)
        for path, values in _table(document, "headers").items()
        for name, value in _table({path: values}, path).items()
    ]
    page = document.get("error_page")
    return Rules(
        folder=str(document["root"]).strip("/").removeprefix("./") if document.get("root") else None,
        folder_because=f"root of {STATIC_JSON}",
        rules=tuple(rules),
        headers=tuple(headers),
        error_page=str(page).lstrip("/") if page else None,
        clean=bool(document.get("clean_urls")),
        https_only=bool(document.get("https_only")),
        warnings=(*unknown, *proxies),
    )


def _target(value: Any) -> tuple[str, int, bool]:
    """The target of a redirect of static.json. Heroku's come before files."""
    table = _as_table(value, "url")
    return str(table.get("url", "/")), int(table.get("status", 301)), True


def _netlify(document: Mapping[str, Any]) -> Rules:
    rules: list[Rule] = []
    warnings: list[str] = []
    for table in document.get("redirects", []):
        rule = Rule(
            pattern(str(table.get("from", ""))), str(table.get("to", "")), int(table.get("status", 301)),
            bool(table.get("force")),
        )  # fmt: skip
        conditions = [key for key in ("conditions", "query", "signed") if table.get(key)]
        problem = f"{conditions[0]} is not looked at; left out" if conditions else _cannot(rule)
        if problem:
            warnings.append(f"{NETLIFY_TOML}: redirect of {table.get('from')}: {problem}")
        else:
            rules.append(rule)
    headers = [
        _header(pattern(str(table.get("for", ""))), str(name), str(value), NETLIFY_TOML)
        for table in document.get("headers", [])
        for name, value in table.get("values", {}).items()
    ]
    build = _table(document, "build")
    publish = build.get("publish")
    return Rules(
        folder=str(publish).strip("/").removeprefix("./") if publish else None,
        folder_because=f"build.publish of {NETLIFY_TOML}",
        rules=tuple(rules),
        headers=tuple(headers),
        warnings=tuple(warnings),
    )


def _as_table(value: object, key: str) -> Mapping[str, Any]:
    """A value that may be written short."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {key: value}


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value: object = document.get(key, {})
    if not isinstance(value, dict):
        raise BuildFailed(f"{STATIC_JSON}: {key} must be a table of paths, got {value!r}", f"Correct {STATIC_JSON}")
    return cast("Mapping[str, Any]", value)


def _json(source: Source) -> Mapping[str, Any]:
    try:
        document: object = json.loads(source.read(STATIC_JSON) or "")
    except json.JSONDecodeError as error:
        raise BuildFailed(
            f"{STATIC_JSON}:{error.lineno}:{error.colno}: {error.msg}", f"Correct {STATIC_JSON}"
        ) from error
    if not isinstance(document, dict):
        raise BuildFailed(f"{STATIC_JSON} must be a table, got {document!r}", f"Correct {STATIC_JSON}")
    return cast("Mapping[str, Any]", document)


def _toml(source: Source) -> Mapping[str, Any]:
    try:
        return tomllib.loads(source.read(NETLIFY_TOML) or "")
    except tomllib.TOMLDecodeError as error:
        raise BuildFailed(f"{NETLIFY_TOML} is not valid TOML: {error}", f"Correct {NETLIFY_TOML}") from error
