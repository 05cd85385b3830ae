"""The static platform: what it makes of a tree."""

import re
from pathlib import Path

import pytest
from pathspec import GitIgnoreSpec

from nucleo_cli.builder import platforms
from nucleo_cli.builder.source import read_source
from nucleo_cli.domain.build import Plan, Reason, Start
from nucleo_cli.errors import BuildFailed

STATIC = platforms.load("static")
PAGE = "<!doctype html><title>x</title>\n"
SPA = '<!doctype html><div id="root"></div><script type="module" src="/assets/index-DiwrgTd4.js"></script>\n'
CONFIG = "/opt/app/nginx.conf"


def plan(root: Path, files: dict[str, str], version: str | None = None, start: str | None = None) -> Plan:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    given = None if start is None else Start(start, "from nucleo.yml")
    return platforms.planner("static")(read_source(root), STATIC, version, given)


def because(found: Plan, choice: str) -> str:
    return next(reason.because for reason in found.reasons if reason.choice.startswith(choice))


def config(found: Plan) -> str:
    return found.steps[0].files[CONFIG]


def shipped(found: Plan, *paths: str) -> set[str]:
    return {path for path in paths if not GitIgnoreSpec.from_lines(found.leave_out).match_file(path)}


# Which folder


@pytest.mark.parametrize(
    ("files", "folder", "reason"),
    [
        ({"index.html": PAGE}, "the app", "index.html lies in the app's folder"),
        ({"public/index.html": PAGE, "index.html": PAGE}, "public", "it has an index.html"),
        ({"dist/index.html": PAGE}, "dist", "it has an index.html"),
        ({"_site/index.html": PAGE}, "_site", "it has an index.html"),
        ({"public/index.html": PAGE, "build/index.html": PAGE, "package.json": "{}"}, "build", "it has an index.html"),
        ({"dist/shop/browser/index.html": PAGE}, "dist/shop/browser", "it has an index.html"),
        ({"static.json": '{"root": "web/"}', "web/index.html": PAGE}, "web", "root of static.json"),
        ({"netlify.toml": '[build]\npublish = "./web"\n', "web/a.html": PAGE}, "web", "build.publish of netlify.toml"),
    ],
)
def test_the_folder(tmp_path: Path, files: dict[str, str], folder: str, reason: str) -> None:
    found = plan(tmp_path, files)
    assert because(found, f"serves {folder}/") == reason
    root = "/app" if folder == "the app" else f"/app/{folder}"
    assert f'root "{root}";' in config(found)


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        ({"a.txt": ""}, "There is no index.html, at the top", "Write index.html"),
        ({"Index.html": PAGE}, r"but there is Index\.html", "git mv Index.html index.html"),
        ({"indx.html": PAGE}, r"but there is indx\.html", "git mv indx.html index.html"),
        ({"home.html": PAGE}, r"but there is home\.html", "git mv home.html index.html"),
        ({"web/index.html": PAGE}, r"but there is web/index\.html", 'echo \'{"root": "web"}\' > static.json'),
        ({".gitignore": "dist/\n", "dist/index.html": PAGE}, r"\.gitignore leaves dist/ out", "git add --force dist"),
        ({"package.json": '{"scripts": {"build": "vite build"}}'}, "npm run build", "platform: node"),
        ({"index.html": SPA.replace("assets/index-DiwrgTd4.js", "src/main.tsx")}, r"loads /src/main\.tsx", "node"),
        ({"public/index.html": PAGE, "dist/index.html": PAGE}, "Both public/ and dist/", '{"root": "public"}'),
        (
            {"static.json": '{"root": "out"}'},
            r"out/ is not in the tree \(root of static\.json\)",
            "git add --force out",
        ),
        (
            {"netlify.toml": '[build]\npublish = "out"\n', "package.json": '{"scripts": {"build": "x"}}'},
            "npm run build makes it",
            "platform: node",
        ),
    ],
)
def test_no_folder(tmp_path: Path, files: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(BuildFailed, match=message) as caught:
        plan(tmp_path, files)
    assert hint in (caught.value.hint or "")


def test_a_script_in_src_needs_no_bundler_by_itself(tmp_path: Path) -> None:
    page = '<script type="module" src="src/main.js"></script>'
    plan(tmp_path, {"index.html": page})
    with pytest.raises(BuildFailed, match=r"loads src/main\.js"):
        plan(tmp_path, {"package.json": '{"scripts": {"build": "vite build"}}'})


def test_a_version_that_is_not_there(tmp_path: Path) -> None:
    assert plan(tmp_path, {"index.html": PAGE}, version="1.26").reasons[0] == Reason("nginx 1.26", "from nucleo.yml")
    with pytest.raises(BuildFailed, match=r"asks for nginx 1\.9") as caught:
        plan(tmp_path, {"index.html": PAGE}, version="1.9")
    assert caught.value.hint == "It has: 1.26"


# What ships


def test_what_is_beside_a_site_is_not_part_of_it(tmp_path: Path) -> None:
    found = plan(tmp_path, {"index.html": PAGE})
    paths = ("index.html", "css/a.css", ".well-known/security.txt", "blog/package.json")
    hidden = (
        "nucleo.yml",
        "Procfile",
        ".env",
        "img/.DS_Store",
        "package.json",
        "_headers",
        "_redirects",
        "static.json",
    )
    assert shipped(found, *paths, *hidden) == set(paths)


def test_only_the_folder_is_part_of_a_site(tmp_path: Path) -> None:
    found = plan(tmp_path, {"web/dist/index.html": PAGE, "static.json": '{"root": "web/dist"}'})
    paths = ("web/dist/index.html", "web/dist/assets/a.js", "web/dist/.well-known/x")
    assert shipped(found, *paths, "web/src/a.js", "README.md", "web/dist/_headers", "web/dist/.git/x") == set(paths)


def test_the_tag_is_that_of_what_is_served(tmp_path: Path) -> None:
    files = {"index.html": PAGE, "nucleo.yml": "platform: static\n"}
    first = plan(tmp_path, files).env["NUCLEO_SITE"]
    assert plan(tmp_path, {"nucleo.yml": "platform: static\nname: x\n"}).env["NUCLEO_SITE"] == first
    assert plan(tmp_path, {"index.html": PAGE.replace("x", "y")}).env["NUCLEO_SITE"] != first


def test_a_changed_page_leaves_every_step_as_it_was(tmp_path: Path) -> None:
    files = {"dist/index.html": SPA, "dist/assets/index-DiwrgTd4.js": "x" * 2000}
    before = plan(tmp_path, files)
    after = plan(tmp_path, {"dist/index.html": SPA.replace("root", "app")})
    assert before.steps == after.steps
    assert "dist/index.html" not in [path for step in after.steps for path in step.inputs]


# Compression and caching


def test_what_is_compressed_beforehand(tmp_path: Path) -> None:
    files = {
        "dist/index.html": SPA + "x" * 90_000,
        "dist/assets/index-DiwrgTd4.js": "x" * 2000,
        "dist/assets/tiny-DiwrgTd5.js": "x",
        "dist/assets/logo-DiwrgTd6.png": "x" * 2000,
        "dist/small.css": "x" * 2000,
        "dist/large.css": "x" * 90_000,
        "dist/done.css": "x" * 90_000,
        "dist/done.css.gz": "x",
    }
    found = plan(tmp_path, files)
    step = found.steps[1]
    assert step.inputs == ("dist/assets/index-DiwrgTd4.js", "dist/large.css")
    assert (step.output, step.changed_only, step.once) == ("/app/dist", True, True)
    assert step.files["/tmp/files"].splitlines() == list(step.inputs)


@pytest.mark.parametrize(
    "path",
    [
        "assets/index-DiwRgTda.js",
        "assets/index-D4vHb473.css",
        "assets/inter-latin-400-normal-C38fXH4l.woff2",
        "static/js/main.073c9b0a.js",
        "static/js/main.073c9b0a.js.map",
        "main-5ZK2QXWD.js",
        "_next/static/chunks/app/page.js",
        "_app/immutable/entry/start.js",
        "_astro/hoisted.D4vHb473.js",
        "app.4f2d8c1b9e7a6f5d.css",
    ],
)
def test_a_name_with_a_hash_is_kept_for_a_year(tmp_path: Path, path: str) -> None:
    assert _immutable(plan(tmp_path, {"dist/index.html": PAGE}), path)


@pytest.mark.parametrize(
    "path",
    [
        "index.html",
        "assets/report-20240101.js",
        "assets/my-document.js",
        "assets/my-Document.js",
        "assets/app-version2.css",
        "assets/x-myHelper.js",
        "jquery-3.7.1.min.js",
        "js/bootstrap.bundle.min.js",
        "photos/deadbeef.jpg",
        "sw.js",
    ],
)
def test_a_name_without_a_hash_is_asked_for_again(tmp_path: Path, path: str) -> None:
    assert not _immutable(plan(tmp_path, {"dist/index.html": PAGE}), path)


def test_a_site_without_a_tool_has_hexadecimal_hashes_alone(tmp_path: Path) -> None:
    found = plan(tmp_path, {"index.html": PAGE})
    assert not _immutable(found, "assets/index-DiwrgTd4.js")
    assert _immutable(found, "app.4f2d8c1b.css")


def _immutable(found: Plan, path: str) -> bool:
    patterns = re.findall(r'"~(\S+)" "public, max-age=31536000, immutable";', config(found))
    assert patterns
    return any(re.match(pattern, f"/{path}") for pattern in patterns)


# What is not there


@pytest.mark.parametrize(
    ("files", "fallback"),
    [
        ({"dist/index.html": SPA, "dist/assets/index-DiwrgTd4.js": ""}, "index.html"),
        ({"index.html": SPA.replace("DiwrgTd4", "x")}, "index.html"),
        ({"index.html": PAGE, "200.html": PAGE}, "200.html"),
        ({"index.html": PAGE, "_redirects": "/* /index.html 200\n"}, "index.html"),
        ({"index.html": PAGE, "static.json": '{"routes": {"/**": "index.html"}}'}, "index.html"),
        ({"index.html": PAGE}, None),
        ({"index.html": SPA, "about.html": PAGE}, None),
        ({"index.html": SPA, "404.html": PAGE}, None),
    ],
)
def test_the_fallback(tmp_path: Path, files: dict[str, str], fallback: str | None) -> None:
    found = plan(tmp_path, files)
    assert re.findall(r"rewrite \^ /(\S+) break;", config(found)) == ([fallback] if fallback else [])
    assert any(reason.choice == f"fallback: {fallback}" for reason in found.reasons) is (fallback is not None)


def test_an_error_page(tmp_path: Path) -> None:
    assert "error_page 404 /404.html;" in config(plan(tmp_path, {"index.html": PAGE, "404.html": PAGE}))
    found = plan(tmp_path, {"static.json": '{"error_page": "errors/e.html"}', "errors/e.html": PAGE})
    assert "error_page 404 /errors/e.html;" in config(found)
    with pytest.raises(BuildFailed, match=r"the error page gone\.html is not there"):
        plan(tmp_path, {"static.json": '{"error_page": "gone.html"}'})


# Redirects


@pytest.mark.parametrize(
    ("line", "path", "target"),
    [
        ("/old /new", "/old", '301 "/new$is_args$args"'),
        ("/old /new", "/old/", '301 "/new$is_args$args"'),
        ("/old/* /new/:splat 302", "/old/a/b", '302 "/new/${p_splat}$is_args$args"'),
        ("/old/* /new/:splat 302", "/old", '302 "/new/${p_splat}$is_args$args"'),
        ("/blog/:year/:slug /posts/:slug?y=:year 308", "/blog/2024/x", '308 "/posts/${p_slug}?y=${p_year}"'),
        ("/shop https://shop.example.com/ 301!", "/shop", '301 "https://shop.example.com/$is_args$args"'),
        ("/a.b /c # moved", "/a.b", '301 "/c$is_args$args"'),
        ("/gone /404.html 410", "/gone", "410"),
    ],
)
def test_a_redirect(tmp_path: Path, line: str, path: str, target: str) -> None:
    found = plan(tmp_path, {"index.html": PAGE, "_redirects": f"# comment\n\n{line}\n"})
    (pattern, returned), *_ = re.findall(r'if \(\$nucleo_path ~ "(.+)"\) \{\s+return (.+);', config(found))
    assert re.match(pattern.replace("(?<", "(?P<"), path)
    assert returned == target
    assert because(found, "rules: 1, headers: 0") == "from _redirects"


def test_a_splat_never_begins_with_a_slash(tmp_path: Path) -> None:
    text = config(plan(tmp_path, {"index.html": PAGE, "_redirects": "/old/* /:splat\n"}))
    pattern = re.findall(r'\$nucleo_path ~ "(.+)"', text)[0].replace("(?<", "(?P<")
    found = re.match(pattern, "/old//evil.example.com/")
    assert found is not None
    assert found["p_splat"] == "evil.example.com/"
    assert not re.match(pattern, "/older")


def test_a_rule_that_is_forced_comes_before_files(tmp_path: Path) -> None:
    text = config(plan(tmp_path, {"index.html": PAGE, "_redirects": "/a /b\n/c /d 302!\n"}))
    assert text.index('return 302 "/d') < text.index("location / {") < text.index('return 301 "/b')


def test_a_rewrite_shows_a_file(tmp_path: Path) -> None:
    files = {"index.html": PAGE, "app/index.html": PAGE, "_redirects": "/app/* /app 200\n"}
    assert 'rewrite ^ "/app/index.html" last;' in config(plan(tmp_path, files))
    with pytest.raises(BuildFailed, match=r"A rule shows /gone, and there is no such file"):
        plan(tmp_path, {"_redirects": "/x /gone 200\n"})


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ("/ /de 302 Country=de", "_redirects:1: Country=de is a condition that is not looked at"),
        ("/x id=:id /y/:id 301", "_redirects:1: id=:id is a condition"),
        ("/api/* https://api.example.com/:splat 200", "requests are not passed on to https://api.example.com"),
        ("https://old.example.com/* /x 301", "a rule for another host is left out"),
        ("/a /b 418", "the status 418 is not one of"),
    ],
)
def test_a_rule_that_cannot_be_done_is_said(tmp_path: Path, line: str, warning: str) -> None:
    found = plan(tmp_path, {"index.html": PAGE, "_redirects": f"{line}\n"})
    assert len(found.warnings) == 1
    assert warning in found.warnings[0]
    assert "$nucleo_path ~" not in config(found)


# Headers


def test_headers(tmp_path: Path) -> None:
    text = (
        '/*\n  X-Frame-Options: DENY\n/embed/*\n  # from anywhere\n  x-frame-options: ALLOWALL\n  Link: <a>; a="b$c"\n'
    )
    found = config(plan(tmp_path, {"index.html": PAGE, "_headers": text}))
    frame = found.partition("map $nucleo_path $nucleo_header_1 {")[2].partition("}\n")[0]
    assert frame.index("ALLOWALL") < frame.index("DENY"), "what is said last counts"
    assert '"<a>; a=\\"b${nucleo_dollar}c\\""' in found
    assert "add_header X-Frame-Options $nucleo_header_1 always;" in found
    assert "add_header Link $nucleo_header_4 always;" in found
    assert "add_header Cache-Control $nucleo_header_3;" in found, "an error has none"


def test_defaults_are_safe(tmp_path: Path) -> None:
    text = config(plan(tmp_path, {"index.html": PAGE}))
    for line in ('default "nosniff";', "etag off;", 'add_header Last-Modified "";', "server_tokens off;"):
        assert line in text
    assert "@PORT@" in text


# static.json and netlify.toml


def test_static_json(tmp_path: Path) -> None:
    document = """{"clean_urls": true, "https_only": true, "proxies": {"/api/": {}}, "worker": 1,
      "redirects": {"/old/": {"url": "/new", "status": 302}, "/a": "/b"},
      "routes": {"/app/**": "app.html"}, "headers": {"/assets/*": {"X-A": "1"}}}"""
    found = plan(tmp_path, {"index.html": PAGE, "app.html": PAGE, "static.json": document})
    text = config(found)
    for part in (
        'return 302 "/new$is_args$args";', 'return 301 "/b$is_args$args";', 'rewrite ^ "/app.html" last;',
        '"~^/assets/[^/]*$" "1";', "return 301 https://$host$request_uri;", 'return 301 "$p_clean$is_args$args";',
    ):  # fmt: skip
        assert part in text
    assert found.warnings == (
        "static.json: worker is not known, and does nothing",
        "static.json: requests for /api/ are not passed on",
    )


def test_netlify_toml(tmp_path: Path) -> None:
    document = """
        [[redirects]]
        from = "/old/*"
        to = "/new/:splat"
        status = 302
        force = true
        [[redirects]]
        from = "/de"
        to = "/x"
        conditions = {Language = ["de"]}
        [[headers]]
        for = "/*"
        [headers.values]
        X-A = "1"
    """
    found = plan(tmp_path, {"index.html": PAGE, "netlify.toml": document})
    assert 'return 302 "/new/${p_splat}$is_args$args";' in config(found)
    assert "add_header X-A $nucleo_header_4 always;" in config(found)
    assert found.warnings == ("netlify.toml: redirect of /de: conditions is not looked at; left out",)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"static.json": '{"root": "x",}'}, r"static\.json:1:\d+: "),
        ({"static.json": "[]"}, r"static\.json must be a table"),
        ({"static.json": '{"redirects": []}'}, r"static\.json: redirects must be a table of paths"),
        ({"static.json": '{"basic_auth": true}'}, r"static\.json asks for a password"),
        ({"netlify.toml": "[build\n"}, r"netlify\.toml is not valid TOML: .*line 1"),
        ({"_redirects": "\n/only\n"}, r"_redirects:2: '/only' is no redirect"),
        ({"_redirects": "a b 301\n"}, r"_redirects:1: 'a b 301' is no redirect"),
        ({"_headers": "/*\n  nonsense\n"}, r"_headers:2: 'nonsense' is no header"),
        ({"_headers": "/*\n  Basic-Auth: a:b\n"}, r"_headers asks for a password"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(BuildFailed, match=message):
        plan(tmp_path, {"index.html": PAGE, **files})


# The start command


def test_the_start_command(tmp_path: Path) -> None:
    found = plan(tmp_path, {"index.html": PAGE})
    assert found.start == "sh /opt/app/serve.sh"
    assert found.steps[0].command == "sh /opt/app/serve.sh -t"
    assert all(step.once for step in found.steps)
    assert plan(tmp_path, {}, start="nginx -c mine").reasons[-1] == Reason("start: nginx -c mine", "from nucleo.yml")
