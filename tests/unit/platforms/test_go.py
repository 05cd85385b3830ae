"""The go platform: what it makes of a tree."""

from pathlib import Path

import pytest

from nucleo_cli.builder import platforms
from nucleo_cli.builder.source import read_source
from nucleo_cli.domain.build import Plan, Reason, Start
from nucleo_cli.errors import BuildFailed

GO = platforms.load("go")
MOD = "module example.com/shop\n\ngo 1.25\n"
MAIN = "package main\n\nfunc main() {}\n"
HAS = "1.27.3, 1.26.10, 1.25.14"


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def plan(root: Path, files: dict[str, str], version: str | None = None, start: str | None = None) -> Plan:
    write(root, {"go.mod": MOD, **files})
    given = None if start is None else Start(start, "from Procfile")
    return platforms.planner("go")(read_source(root), GO, version, given)


def because(found: Plan, choice: str) -> str:
    return next(reason.because for reason in found.reasons if reason.choice.startswith(choice))


def builds(found: Plan) -> list[str]:
    """What is compiled: the binary's place and the package."""
    return [part.split(" -o ")[1] for part in found.steps[0].command.split(" && ") if part.startswith("go build")]


# Which Go


@pytest.mark.parametrize(
    ("files", "version", "reason"),
    [
        ({}, "1.27", "the platform's default; go.mod needs 1.25 or later"),
        ({"go.mod": "module shop\n"}, "1.27", "the platform's default"),
        ({"go.mod": f"{MOD}toolchain go1.26.2\n"}, "1.26", "from the toolchain line of go.mod"),
        ({"go.mod": f"{MOD}toolchain go1.22.2\n"}, "1.27", "the platform's default"),
        ({".go-version": "# goenv\n1.26.3\n"}, "1.26", "from .go-version"),
        ({".tool-versions": "nodejs 24.1.0\ngolang 1.25.1\n"}, "1.25", "from .tool-versions"),
        ({"go.mod": f"// +heroku goVersion go1.26\n{MOD}"}, "1.26", "from go.mod"),
        ({"go.work": "go 1.26\ntoolchain go1.26.1\nuse .\n"}, "1.26", "from the toolchain line of go.work"),
    ],
)
def test_the_version(tmp_path: Path, files: dict[str, str], version: str, reason: str) -> None:
    found = plan(tmp_path, {"main.go": MAIN, **files})
    assert found.version == version
    assert because(found, f"go {version}").startswith(reason)


def test_nucleo_yml_decides_the_version(tmp_path: Path) -> None:
    found = plan(tmp_path, {"main.go": MAIN, ".go-version": "1.25"}, version="1.26")
    assert found.reasons[0] == Reason("go 1.26", "from nucleo.yml")


@pytest.mark.parametrize(
    ("files", "version", "message"),
    [
        ({}, "1.19", r"nucleo\.yml asks for Go 1\.19"),
        ({".go-version": "gccgo"}, None, r"\.go-version asks for Go gccgo"),
        ({"go.mod": "module shop\ngo 1.31\n"}, None, r"go\.mod needs Go 1\.31"),
        ({"go.mod": "module shop\ngo 1.27.9\n"}, None, r"go\.mod needs Go 1\.27\.9"),
        ({"go.mod": "module shop\ngo 1.27\n"}, "1.26", r"go\.mod needs Go 1\.27"),
    ],
)
def test_a_version_that_is_not_there(tmp_path: Path, files: dict[str, str], version: str | None, message: str) -> None:
    with pytest.raises(BuildFailed, match=message) as caught:
        plan(tmp_path, {"main.go": MAIN, **files}, version=version)
    assert HAS in f"{caught.value} {caught.value.hint}"


# Which modules


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("modul shop\n", r"go\.mod:1: 'modul' is nothing that Go knows", "Did you mean module?"),
        ("module shop\nrequire\n", r"go\.mod:2: require says nothing", "Correct go.mod"),
        ("module shop\nrequire (\n\tx.org/y v1.0.0\n", r"the parenthesis of require is never closed", "Correct go.mod"),
        ("go 1.25\n", r"go\.mod has no module line", "go mod edit"),
        (f"{MOD}require x.org/y v1.0.0\n", r"go\.mod requires x\.org/y, but there is no go\.sum", "go mod tidy"),
        (f"{MOD}replace x.org/y => ../y\n", r"go\.mod replaces x\.org/y by \.\./y", "build: {root: ..}"),
    ],
)
def test_a_manifest_that_will_not_do(tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(BuildFailed, match=message) as caught:
        plan(tmp_path, {"main.go": MAIN, "go.mod": text})
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("go.mdo", r"go\.mdo is not read: the name is go\.mod"),
        ("Go.mod", r"Go\.mod is not read"),
        ("Gopkg.toml", r"Gopkg\.toml is of a tool from before Go's modules"),
        ("api/go.mod", r"There is no go\.mod here, but there is api/go\.mod"),
        ("README", r"There is no go\.mod"),
    ],
)
def test_no_manifest(tmp_path: Path, name: str, message: str) -> None:
    write(tmp_path, {"main.go": MAIN, name: MOD})
    with pytest.raises(BuildFailed, match=message):
        platforms.planner("go")(read_source(tmp_path), GO, None, None)


def test_vendored_modules_need_no_sums(tmp_path: Path) -> None:
    files = {"vendor/modules.txt": "# x.org/y v1.0.0\n", "vendor/x.org/y/LICENSE": "", "main.go": MAIN}
    found = plan(tmp_path, {**files, "go.mod": f"{MOD}require x.org/y v1.0.0\n"})
    assert "-mod=vendor" in found.steps[0].env["GOFLAGS"]
    assert "vendor/x.org/y/LICENSE" in found.steps[0].inputs
    assert "nothing is downloaded" in because(found, "vendored modules")


def test_quoted_and_commented_directives(tmp_path: Path) -> None:
    text = 'module "example.com/shop/v2" // the second\n\nretract [v1.0.0, v1.1.0]\ngo 1.26 // at least\n'
    assert builds(plan(tmp_path, {"main.go": MAIN, "go.mod": text})) == ["/opt/app/bin/shop ."]


# Workspaces


WORKSPACE = {
    "go.work": "go 1.26\n\nuse (\n\t./services/api\n\t./libs/log\n)\n",
    "services/api/go.mod": "module example.com/api\ngo 1.25\n",
    "services/api/main.go": MAIN,
    "libs/log/go.mod": "module example.com/log\ngo 1.25\n",
    "libs/log/log.go": "package log\n",
    "libs/log/log_test.go": "package log\n",
    "libs/other/other.go": "package other\n",
}


def test_an_app_of_a_workspace(tmp_path: Path) -> None:
    write(tmp_path, WORKSPACE)
    found = platforms.planner("go")(read_source(tmp_path / "services" / "api", "../.."), GO, None, None)
    assert found.start == "/opt/app/bin/api"
    assert set(found.steps[0].inputs) == {
        *("go.mod", "main.go", "../../go.work", "../../libs/log/go.mod", "../../libs/log/log.go"),
    }
    assert "GOWORK" not in found.steps[0].env
    assert because(found, "workspace") == "../../go.work uses the module"


def test_the_top_of_a_workspace(tmp_path: Path) -> None:
    write(tmp_path, WORKSPACE)
    found = platforms.planner("go")(read_source(tmp_path), GO, None, None)
    assert builds(found) == ["/opt/app/bin/api ./services/api"]


def test_a_workspace_that_does_not_use_the_module(tmp_path: Path) -> None:
    write(tmp_path, {**WORKSPACE, "go.work": "go 1.26\nuse ./libs/log\n"})
    found = platforms.planner("go")(read_source(tmp_path / "services" / "api", "../.."), GO, None, None)
    assert found.steps[0].env["GOWORK"] == "off"
    assert found.steps[0].inputs == ("go.mod", "main.go")


def test_a_workspace_with_a_hole(tmp_path: Path) -> None:
    write(tmp_path, {"go.work": "use ./gone\n", "go.mod": MOD})
    with pytest.raises(BuildFailed, match=r"go\.work uses \./gone") as caught:
        platforms.planner("go")(read_source(tmp_path), GO, None, None)
    assert caught.value.hint == "Remove it: go work edit -dropuse=./gone"


def test_a_module_above_the_app(tmp_path: Path) -> None:
    write(tmp_path, {"go.mod": MOD, "cmd/api/main.go": MAIN, "internal/db/db.go": "package db\n", "readme.md": ""})
    found = platforms.planner("go")(read_source(tmp_path / "cmd" / "api", "../.."), GO, None, None)
    assert builds(found) == ["/opt/app/bin/api ."]
    assert found.steps[0].inputs == ("../../go.mod", "../../internal/db/db.go", "main.go")


def test_a_module_beside_the_app(tmp_path: Path) -> None:
    text = "module example.com/api\nreplace example.com/log => ../log\nrequire example.com/log v0.0.0\n"
    write(tmp_path, {"api/go.mod": text, "api/main.go": MAIN, "log/go.mod": "module example.com/log\n"})
    write(tmp_path, {"log/log.go": "package log\n", "else/x.go": "package x\n"})
    found = platforms.planner("go")(read_source(tmp_path / "api", ".."), GO, None, None)
    assert found.steps[0].inputs == ("../log/go.mod", "../log/log.go", "go.mod", "main.go")


# Which programs


@pytest.mark.parametrize(
    ("files", "built", "reason"),
    [
        ({"main.go": MAIN}, "/opt/app/bin/shop .", "the main package of the app's folder"),
        ({"cmd/server/main.go": MAIN}, "/opt/app/bin/server ./cmd/server", "the only main package, ./cmd/server"),
        (
            {"cmd/shop/main.go": MAIN, "cmd/migrate/main.go": MAIN},
            "/opt/app/bin/shop ./cmd/shop",
            "./cmd/shop is named as the app is in go.mod",
        ),
        (
            {"cmd/front/main.go": MAIN, "cmd/migrate/main.go": MAIN, "nucleo.yml": "name: front\nplatform: go\n"},
            "/opt/app/bin/front ./cmd/front",
            "./cmd/front is named as the app is in nucleo.yml",
        ),
        (
            {"cmd/server/main.go": MAIN, "tools/gen/main.go": MAIN, "examples/a/main.go": MAIN},
            "/opt/app/bin/server ./cmd/server",
            "the only main package, ./cmd/server",
        ),
        ({"main.go": MAIN, "cmd/migrate/main.go": MAIN}, "/opt/app/bin/shop .", "the main package of the app's"),
    ],
)
def test_the_program(tmp_path: Path, files: dict[str, str], built: str, reason: str) -> None:
    found = plan(tmp_path, files)
    assert builds(found) == [built]
    assert found.start == built.split()[0]
    assert because(found, "start").startswith(reason)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gen.go", f"//go:build ignore\n\n{MAIN}"),
        ("gen.go", f"//go:build tools && linux\n\n{MAIN}"),
        ("gen_windows.go", MAIN),
        ("gen_js_wasm.go", MAIN),
        ("gen_test.go", MAIN),
        ("testdata/gen.go", MAIN),
        ("_old/gen.go", MAIN),
        ("vendor/x/main.go", MAIN),
        ("node_modules/x/main.go", MAIN),
        ("gen.go", "package gen\n\nconst template = `\npackage main\n`\n"),
        ("gen.go", "/*\npackage main\n*/\n\n// Package gen.\npackage gen\n"),
        ("nested/main.go", MAIN),
    ],
)
def test_what_is_no_program(tmp_path: Path, name: str, text: str) -> None:
    files = {"cmd/server/main.go": MAIN, name: text, "nested/go.mod": "module example.com/nested\n"}
    assert builds(plan(tmp_path, files)) == ["/opt/app/bin/server ./cmd/server"]


def test_a_program_with_a_tag_that_is_set(tmp_path: Path) -> None:
    assert builds(plan(tmp_path, {"main_linux.go": f"//go:build linux && go1.25 && !dev\n\n{MAIN}"}))


def test_no_program(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="No main package was found"):
        plan(tmp_path, {"shop.go": "package shop\n"})


def test_several_programs(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"There are 2 main packages: \./cmd/api, \./cmd/worker") as caught:
        plan(tmp_path, {"cmd/api/main.go": MAIN, "cmd/worker/main.go": MAIN})
    assert caught.value.hint == "Say in nucleo.yml which one serves, for example: cmd: {start: api}"


def test_heroku_s_install_line(tmp_path: Path) -> None:
    files = {f"cmd/{name}/main.go": MAIN for name in ("api", "worker", "gen")}
    found = plan(tmp_path, {**files, "go.mod": f"{MOD}// +heroku install ./cmd/api\n"})
    assert builds(found) == ["/opt/app/bin/api ./cmd/api"]
    found = plan(tmp_path, {**files, "go.mod": f"{MOD}// +heroku install ./cmd/... \n"}, start="bin/api")
    assert len(builds(found)) == 3
    with pytest.raises(BuildFailed, match=r"says \+heroku install \./cmd/x"):
        plan(tmp_path, {**files, "go.mod": f"{MOD}// +heroku install ./cmd/x\n"})


# The start command


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bin/api", "/opt/app/bin/api"),
        ("./bin/api -v", "/opt/app/bin/api -v"),
        ("./api serve --name api", "/opt/app/bin/api serve --name api"),
        ("api", "/opt/app/bin/api"),
        ("/app/bin/api", "/opt/app/bin/api"),
        ("env LOG=1 ./api", "env LOG=1 /opt/app/bin/api"),
        ("go run ./cmd/api -v", "/opt/app/bin/api -v"),
        ("go run cmd/api/main.go", "/opt/app/bin/api"),
        ("sh -c 'bin/api & wait'", "sh -c '/opt/app/bin/api & wait'"),
    ],
)
def test_a_start_command_names_its_program(tmp_path: Path, line: str, expected: str) -> None:
    found = plan(tmp_path, {"cmd/api/main.go": MAIN, "cmd/gen/main.go": MAIN}, start=line)
    assert found.start == expected
    assert builds(found) == ["/opt/app/bin/api ./cmd/api"]
    assert found.reasons[-1] == Reason(f"start: {expected}", "from Procfile")


def test_a_name_that_only_the_start_command_has(tmp_path: Path) -> None:
    found = plan(tmp_path, {"main.go": MAIN}, start="bin/web --fast")
    assert found.start == "/opt/app/bin/web --fast"
    assert builds(found) == ["/opt/app/bin/web ."]


def test_a_script_of_the_tree_may_start_any_of_them(tmp_path: Path) -> None:
    found = plan(tmp_path, {"cmd/a/main.go": MAIN, "cmd/b/main.go": MAIN, "bin/run": "#!/bin/sh\n"}, start="bin/run")
    assert found.start == "bin/run"
    assert len(builds(found)) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bin/c", r"starts c, and no main package has that name"),
        ("go run ./cmd/c", r"runs \./cmd/c, where no main package is"),
        ("go test ./...", r"runs the go command"),
    ],
)
def test_a_start_command_without_a_program(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(BuildFailed, match=message):
        plan(tmp_path, {"cmd/a/main.go": MAIN, "cmd/b/main.go": MAIN}, start=line)


def test_what_other_processes_start_is_compiled_too(tmp_path: Path) -> None:
    files = {f"cmd/{name}/main.go": MAIN for name in ("api", "worker", "migrate", "gen")}
    config = "platform: go\ncmd: {release: migrate up}\n"
    found = plan(
        tmp_path, {**files, "nucleo.yml": config, "Procfile": "web: bin/api\nworker: bin/worker\n"}, start="bin/api"
    )
    assert {line.split()[1] for line in builds(found)} == {"./cmd/api", "./cmd/worker", "./cmd/migrate"}


# What the compilation reads


def test_inputs_are_what_go_reads(tmp_path: Path) -> None:
    files = {
        "main.go": 'package main\n\nimport "embed"\n\n//go:embed web/*.html "all:assets" icon.svg\nvar fs embed.FS\n',
        "main_test.go": MAIN,
        "internal/db/db.go": "package db\n\n//go:embed schema\nvar x string\n",
        "internal/db/schema/1.sql": "",
        "internal/db/testdata/1.sql": "",
        "web/index.html": "",
        "web/notes.txt": "",
        "assets/css/a.css": "",
        "icon.svg": "",
        "templates/index.tmpl": "",
        "default.pgo": "",
        "README.md": "",
    }
    step = plan(tmp_path, files).steps[0]
    assert set(step.inputs) == {
        *("go.mod", "main.go", "internal/db/db.go", "internal/db/schema/1.sql", "web/index.html"),
        *("assets/css/a.css", "icon.svg", "default.pgo"),
    }


def test_what_ships(tmp_path: Path) -> None:
    found = plan(tmp_path, {"main.go": MAIN})
    assert {"*.go", "go.mod", "/vendor/"} <= set(found.leave_out)
    assert found.env["PATH"].startswith("/opt/app/bin:")
    assert found.steps[0].output == "/opt/app"


def test_nothing_of_the_machine_gets_into_a_program(tmp_path: Path) -> None:
    env = plan(tmp_path, {"main.go": MAIN}).steps[0].env
    assert env["GOFLAGS"].split() == ["-trimpath", "-buildvcs=false", "-modcacherw", "-mod=readonly"]
    assert (env["CGO_ENABLED"], env["GOTOOLCHAIN"]) == ("0", "local")
    assert "GOFLAGS" not in GO.host_env


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('package main\n\n// #include <stdio.h>\nimport "C"\n', "db.go imports C"),
        (
            'package main\n\nimport (\n\t_ "github.com/mattn/go-sqlite3"\n)\n',
            "db.go imports github.com/mattn/go-sqlite3",
        ),
    ],
)
def test_cgo_where_the_code_needs_it(tmp_path: Path, text: str, reason: str) -> None:
    found = plan(tmp_path, {"main.go": MAIN, "db.go": text, "lib/x.c": ""})
    assert found.steps[0].env["CGO_ENABLED"] == "1"
    assert "lib/x.c" in found.steps[0].inputs
    assert because(found, "cgo").startswith(reason)


def test_no_cgo_for_a_file_that_is_not_built(tmp_path: Path) -> None:
    text = '//go:build darwin\n\npackage main\n\nimport "C"\n'
    assert plan(tmp_path, {"main.go": MAIN, "mac.go": text}).steps[0].env["CGO_ENABLED"] == "0"


# What is said about the app


def test_gin_runs_in_release_mode(tmp_path: Path) -> None:
    text = f"{MOD}require github.com/gin-gonic/gin v1.11.0\n"
    found = plan(tmp_path, {"main.go": MAIN, "go.mod": text, "go.sum": "x"})
    assert found.env["GIN_MODE"] == "release"
    assert because(found, "GIN_MODE") == "go.mod requires github.com/gin-gonic/gin"


@pytest.mark.parametrize(
    ("call", "warning"),
    [
        ('http.ListenAndServe(":8080", nil)', None),
        ('http.ListenAndServe(":"+os.Getenv("PORT"), nil)', None),
        ('http.ListenAndServe(":3000", nil)', "listens on port 3000 always"),
        ('router.Run("localhost:8080")', "which nothing outside of its pod reaches"),
        ('net.Listen("tcp", "127.0.0.1:9000")', "which nothing outside of its pod reaches"),
    ],
)
def test_an_address_that_nobody_reaches(tmp_path: Path, call: str, warning: str | None) -> None:
    found = plan(tmp_path, {"main.go": f"package main\n\nfunc main() {{\n\t{call}\n}}\n"})
    assert len(found.warnings) == (0 if warning is None else 1)
    assert warning is None or warning in found.warnings[0]
