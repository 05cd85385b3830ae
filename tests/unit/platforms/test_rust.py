"""The rust platform: what it makes of a tree."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from nucleo_cli.builder import platforms
from nucleo_cli.builder.source import read_source
from nucleo_cli.domain.build import Plan, Reason, Start
from nucleo_cli.errors import BuildFailed

RUST = platforms.load("rust")
SCRIPTS = Path(__file__).parents[3] / "platforms" / "rust"
MAIN = "fn main() {}\n"
LOCK = "version = 4\n"
PACKAGE = '[package]\nname = "shop"\nversion = "0.1.0"\nedition = "2024"\n'
MINIMAL = {"Cargo.toml": PACKAGE, "Cargo.lock": LOCK, "src/main.rs": MAIN}


def plan(
    root: Path, files: dict[str, str], version: str | None = None, start: str | None = None, folder: str = "."
) -> Plan:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    source = read_source(root / folder, os.path.relpath(root, root / folder))
    return platforms.planner("rust")(source, RUST, version, Start(start, "from nucleo.yml") if start else None)


def failure(root: Path, files: dict[str, str], version: str | None = None, folder: str = ".") -> BuildFailed:
    with pytest.raises(BuildFailed) as caught:
        plan(root, files, version, folder=folder)
    return caught.value


def because(found: Plan, choice: str) -> str:
    return next(reason.because for reason in found.reasons if reason.choice.startswith(choice))


def package(name: str, more: str = "") -> str:
    return f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n{more}'


def test_the_smallest_app(tmp_path: Path) -> None:
    found = plan(tmp_path, MINIMAL)
    assert [reason.choice for reason in found.reasons] == [
        f"rust {RUST.default}",
        "programs: shop",
        "start: /opt/app/bin/shop",
    ]
    assert found.start == "/opt/app/bin/shop"
    (step,) = found.steps
    assert step.command == "bash /tmp/nucleo-compile.sh -p shop --bin shop"
    assert step.output == "/opt/app"
    assert step.inputs == ("Cargo.lock", "Cargo.toml", "src/main.rs")
    assert found.env["PATH"].startswith("/opt/app/bin:")


def test_the_example_is_planned() -> None:
    source = read_source(SCRIPTS / "example")
    assert platforms.planner("rust")(source, RUST, None, None).warnings == ()


# Which Rust


@pytest.mark.parametrize(
    ("files", "version", "reason"),
    [
        ({}, RUST.default, "the platform's default"),
        (
            {"rust-toolchain.toml": '[toolchain]\nchannel = "stable"\n'},
            RUST.default,
            "from rust-toolchain.toml: stable",
        ),
        ({"rust-toolchain.toml": '[toolchain]\nprofile = "minimal"\n'}, RUST.default, "from rust-toolchain.toml"),
        ({"rust-toolchain.toml": '[toolchain]\nchannel = "1.85.0"\n'}, "1.85", "from rust-toolchain.toml: 1.85.0"),
        ({"rust-toolchain": "# pinned\n1.85\n"}, "1.85", "from rust-toolchain: 1.85"),
        ({"rust-toolchain": "stable-x86_64-unknown-linux-gnu\n"}, RUST.default, "from rust-toolchain"),
        ({"rust-toolchain": '[toolchain]\nchannel = "1.85"\n'}, "1.85", "from rust-toolchain: 1.85"),
        ({"Cargo.toml": PACKAGE + 'rust-version = "1.80"\n'}, RUST.default, "rust-version in Cargo.toml: 1.80"),
        (
            {"Cargo.toml": PACKAGE + '[workspace.package]\nrust-version = "1.96"\n'},
            RUST.default,
            "the platform's default",
        ),
        (
            {"Cargo.toml": PACKAGE + 'rust-version.workspace = true\n[workspace.package]\nrust-version = "1.90"\n'},
            RUST.default,
            "rust-version in Cargo.toml: 1.90",
        ),
    ],
)
def test_the_version(tmp_path: Path, files: dict[str, str], version: str, reason: str) -> None:
    found = plan(tmp_path, {**MINIMAL, **files})
    assert found.version == version
    assert because(found, f"rust {version}").startswith(reason)
    assert found.warnings == ()


def test_nucleo_yml_decides_the_version(tmp_path: Path) -> None:
    found = plan(tmp_path, {**MINIMAL, "rust-toolchain": "stable"}, version="1.85")
    assert found.reasons[0] == Reason("rust 1.85", "from nucleo.yml")


@pytest.mark.parametrize(("pinned", "chosen"), [("1.70.0", "1.85"), ("1.90", "1.96")])
def test_a_pinned_version_that_is_not_there_is_compiled_by_the_next_newer(
    tmp_path: Path, pinned: str, chosen: str
) -> None:
    found = plan(tmp_path, {**MINIMAL, "rust-toolchain": pinned})
    assert found.version == chosen
    assert f"asks for Rust {pinned}" in found.warnings[0]


@pytest.mark.parametrize(
    ("files", "version", "message"),
    [
        ({}, "1.70", "nucleo.yml asks for Rust 1.70"),
        ({"rust-toolchain": "nightly-2026-01-01"}, None, "rust-toolchain asks for Rust nightly-2026-01-01"),
        ({"rust-toolchain.toml": '[toolchain]\nchannel = "beta"\n'}, None, "rust-toolchain.toml asks for Rust beta"),
        ({"rust-toolchain": "1.999"}, None, "rust-toolchain asks for Rust 1.999"),
        ({"Cargo.toml": PACKAGE + 'rust-version = "1.999"\n'}, None, "rust-version in Cargo.toml asks for Rust 1.999"),
    ],
)
def test_a_version_that_is_not_there(tmp_path: Path, files: dict[str, str], version: str | None, message: str) -> None:
    failed = failure(tmp_path, {**MINIMAL, **files}, version)
    assert failed.message.startswith(message)
    assert failed.hint == f"It has: {', '.join(RUST.versions)}"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"rust-toolchain": "1.85", "rust-toolchain.toml": "[toolchain]"},
            "Both rust-toolchain.toml and rust-toolchain",
        ),
        ({"rust-toolchain.toml": "[toolchain\n"}, "rust-toolchain.toml is not valid TOML: .*line 1"),
        ({"rust-toolchain.toml": '[toolchain]\npath = "/opt/rust"\n'}, "names a toolchain of one machine"),
    ],
)
def test_a_toolchain_file_that_cannot_be_followed(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(BuildFailed, match=message):
        plan(tmp_path, {**MINIMAL, **files})


# Which programs


@pytest.mark.parametrize(
    ("files", "program", "reason"),
    [
        ({"src/bin/one.rs": MAIN, "src/main.rs": ""}, "shop", "the program named like the package"),
        ({"Cargo.toml": PACKAGE + 'default-run = "one"\n', "src/bin/one.rs": MAIN}, "one", "default-run in Cargo.toml"),
        ({"Cargo.toml": PACKAGE + '[[bin]]\nname = "web"\npath = "src/main.rs"\n'}, "web", "the only program"),
        (
            {"Cargo.toml": PACKAGE + '[[bin]]\nname = "web"\npath = "a.rs"\nrequired-features = ["cli"]\n'},
            "shop",
            "the only program",
        ),
        (
            {"src/bin/serve/main.rs": MAIN, "src/bin/shop.rs": MAIN, "nucleo.yml": "name: serve\n"},
            "shop",
            "the program named like the package",
        ),
        ({"examples/demo.rs": MAIN}, "shop", "the only program"),
    ],
)
def test_the_program(tmp_path: Path, files: dict[str, str], program: str, reason: str) -> None:
    found = plan(tmp_path, {**MINIMAL, **files})
    assert found.start == f"/opt/app/bin/{program}"
    assert because(found, "start: ") == reason


def test_a_feature_that_is_on_by_default_brings_its_program(tmp_path: Path) -> None:
    bins = '[[bin]]\nname = "web"\npath = "src/main.rs"\nrequired-features = ["http"]\n'
    manifest = PACKAGE + bins + '[features]\ndefault = ["server"]\nserver = ["http"]\nhttp = []\n'
    assert plan(tmp_path, {**MINIMAL, "Cargo.toml": manifest}).start == "/opt/app/bin/web"


def test_the_app_s_name_decides_between_programs(tmp_path: Path) -> None:
    files = {"Cargo.toml": PACKAGE, "Cargo.lock": LOCK, "src/bin/api.rs": MAIN, "src/bin/seed.rs": MAIN}
    found = plan(tmp_path, {**files, "nucleo.yml": "name: api\n"})
    assert found.start == "/opt/app/bin/api"
    assert found.steps[0].command.endswith("-p shop --bin api --bin seed")


def test_several_programs_are_listed(tmp_path: Path) -> None:
    files = {"Cargo.toml": PACKAGE, "Cargo.lock": LOCK, "src/bin/api.rs": MAIN, "src/bin/seed.rs": MAIN}
    failed = failure(tmp_path, files)
    assert failed.message == "Package shop has several programs: api (src), seed (src)"
    assert failed.hint == "Choose one in nucleo.yml: cmd: {start: api}"


def test_no_program(tmp_path: Path) -> None:
    failed = failure(tmp_path, {"Cargo.toml": PACKAGE, "Cargo.lock": LOCK, "src/lib.rs": ""})
    assert failed.message.startswith("No package makes a program")


@pytest.mark.parametrize(
    ("line", "start"),
    [
        ("shop", "/opt/app/bin/shop"),
        ("shop --name shop", "/opt/app/bin/shop --name shop"),
        ("./shop", "/opt/app/bin/shop"),
        ("bin/shop -v", "/opt/app/bin/shop -v"),
        ("target/release/shop", "/opt/app/bin/shop"),
        ("./target/release/shop", "/opt/app/bin/shop"),
        ("/app/target/x86_64-unknown-linux-gnu/release/shop", "/opt/app/bin/shop"),
        ("ROCKET_PORT=$PORT ./target/release/shop", "env ROCKET_PORT=$PORT /opt/app/bin/shop"),
        ("cargo run --release", "/opt/app/bin/shop"),
        ("cargo run --release --bin seed -- --all", "/opt/app/bin/seed --all"),
        ("./start.sh shop", "./start.sh shop"),
        ("/usr/local/bin/shop", "/usr/local/bin/shop"),
        ("/opt/app/bin/shop", "/opt/app/bin/shop"),
    ],
)
def test_ways_to_name_a_program(tmp_path: Path, line: str, start: str) -> None:
    found = plan(tmp_path, {**MINIMAL, "src/bin/seed.rs": MAIN, "start.sh": ""}, start=line)
    assert found.start == start
    assert found.reasons[-1] == Reason(f"start: {start}", "from nucleo.yml")


def test_a_script_of_the_tree_is_not_taken_for_a_program(tmp_path: Path) -> None:
    assert plan(tmp_path, {**MINIMAL, "bin/shop": "#!/bin/sh\n"}, start="bin/shop").start == "bin/shop"


# Workspaces

WORKSPACE = {
    "Cargo.toml": '[workspace]\nmembers = ["crates/*"]\nexclude = ["crates/old"]\nresolver = "2"\n',
    "Cargo.lock": LOCK,
    "crates/api/Cargo.toml": package("api", '[dependencies]\naxum = "0.8"\ncore.workspace = true\n'),
    "crates/api/src/main.rs": MAIN,
    "crates/core/Cargo.toml": package("core"),
    "crates/core/src/lib.rs": "",
    "crates/tool/Cargo.toml": package("tool"),
    "crates/tool/src/main.rs": MAIN,
    "crates/tool/src/part.rs": "",
    "crates/old/Cargo.toml": package("old"),
    "crates/old/src/main.rs": MAIN,
}


def workspace(more: str = "") -> dict[str, str]:
    shared = '[workspace.dependencies]\ncore = { path = "crates/core" }\n'
    return {**WORKSPACE, "Cargo.toml": WORKSPACE["Cargo.toml"] + more + shared}


def test_the_member_with_a_web_framework(tmp_path: Path) -> None:
    found = plan(tmp_path, workspace())
    assert found.start == "/opt/app/bin/api"
    assert because(found, "start: ") == "the only program, the only package with axum, in crates/api/Cargo.toml"
    assert because(found, "package api") == "of the workspace of Cargo.toml"
    assert found.steps[0].command.endswith(" -p api --bin api")


def test_what_a_member_does_not_depend_on_is_no_input(tmp_path: Path) -> None:
    inputs = plan(tmp_path, {**workspace(), "templates/a.html": "", "skeleton/Cargo.toml": ""}).steps[0].inputs
    assert "skeleton/Cargo.toml" in inputs
    assert {"crates/core/src/lib.rs", "crates/tool/Cargo.toml", "crates/tool/src/main.rs", "templates/a.html"} <= {
        *inputs
    }
    assert "crates/tool/src/part.rs" not in inputs


def test_default_members(tmp_path: Path) -> None:
    found = plan(tmp_path, workspace('default-members = ["crates/tool"]\n'))
    assert found.start == "/opt/app/bin/tool"


def test_the_member_named_like_the_app(tmp_path: Path) -> None:
    found = plan(tmp_path, {**workspace(), "nucleo.yml": "name: tool\n"})
    assert because(found, "start: ") == "the only program, named like the app, in crates/tool/Cargo.toml"


def test_what_a_procfile_names_is_compiled_too(tmp_path: Path) -> None:
    found = plan(tmp_path, {**workspace(), "Procfile": "web: api\nworker: tool\n"}, start="api")
    assert found.steps[0].command.endswith("-p api -p tool --bin api --bin tool")


def test_several_members_are_listed(tmp_path: Path) -> None:
    files = {**workspace(), "crates/tool/Cargo.toml": package("tool", '[dependencies]\nrocket = "0.5"\n')}
    failed = failure(tmp_path, files)
    assert failed.message == (
        "The workspace has several programs: api (crates/api/Cargo.toml), tool (crates/tool/Cargo.toml)"
    )


def test_a_package_at_the_top_of_a_workspace(tmp_path: Path) -> None:
    files = {**workspace(), "Cargo.toml": PACKAGE + workspace()["Cargo.toml"], "src/main.rs": MAIN}
    assert plan(tmp_path, files).steps[0].command.endswith(" -p shop --bin shop")


def test_a_member_of_a_monorepo(tmp_path: Path) -> None:
    found = plan(tmp_path, workspace(), folder="crates/api")
    assert found.start == "/opt/app/bin/api"
    assert because(found, "package api") == "of the workspace of ../../Cargo.toml"
    assert {"../../Cargo.lock", "../../Cargo.toml", "../core/src/lib.rs", "src/main.rs"} <= {*found.steps[0].inputs}
    assert "../tool/src/part.rs" not in found.steps[0].inputs
    assert "/tests/" in found.leave_out


def test_a_toolchain_above_the_member(tmp_path: Path) -> None:
    found = plan(
        tmp_path, {**workspace(), "rust-toolchain.toml": '[toolchain]\nchannel = "1.85"\n'}, folder="crates/api"
    )
    assert found.version == "1.85"


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (package("api").replace('version = "0.1.0"', "version.workspace = true"), "inherits from a workspace"),
        (package("api", "[dependencies]\ncore.workspace = true\n"), "inherits from a workspace"),
        (package("api", '[dependencies]\ncore = { path = "../core" }\n'), "depends on the package in ../core"),
    ],
)
def test_what_lies_outside_of_the_app(tmp_path: Path, manifest: str, message: str) -> None:
    failed = failure(tmp_path, {"Cargo.toml": manifest, "Cargo.lock": LOCK, "src/main.rs": MAIN})
    assert message in failed.message
    assert 'build: {root: "../.."}' in failed.hint


# What cannot be built


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        (
            {"cargo.toml": PACKAGE},
            "cargo.toml is not read: the name is Cargo.toml",
            "Run: git mv cargo.toml Cargo.toml",
        ),
        (
            {"Crago.toml": PACKAGE},
            "Crago.toml is not read: the name is Cargo.toml",
            "Run: git mv Crago.toml Cargo.toml",
        ),
        ({"api/Cargo.toml": PACKAGE}, "There is no Cargo.toml at the top, but api/Cargo.toml is there", "Deploy that"),
        ({"main.rs": MAIN}, "There is no Cargo.toml", "Run: cargo init"),
        ({"Cargo.toml": "[package\n"}, "Cargo.toml is not valid TOML: ", "Correct Cargo.toml"),
        ({"Cargo.toml": "[dependencies]\n"}, "Cargo.toml has neither [package] nor [workspace]", "A new one"),
        (
            {"Cargo.toml": PACKAGE, "src/main.rs": MAIN},
            "Cargo.lock is missing: without it a build on another day may be another program",
            "Run: cargo generate-lockfile && git add Cargo.lock",
        ),
        (
            {"Cargo.toml": PACKAGE, "src/main.rs": MAIN, ".gitignore": "target\nCargo.lock\n"},
            "Cargo.lock is missing",
            "Run: cargo generate-lockfile && git add -f Cargo.lock, and remove it from .gitignore",
        ),
    ],
)
def test_bad_manifests(tmp_path: Path, files: dict[str, str], message: str, hint: str) -> None:
    failed = failure(tmp_path, files)
    assert failed.message.startswith(message)
    assert failed.hint is not None
    assert failed.hint.startswith(hint)


# The environment of build and image


def test_rocket_listens_where_the_pod_does(tmp_path: Path) -> None:
    found = plan(tmp_path, {**MINIMAL, "Cargo.toml": PACKAGE + '[dependencies]\nrocket = "0.5"\n'})
    assert found.start == "env ROCKET_PORT=$PORT /opt/app/bin/shop"
    assert found.env["ROCKET_ADDRESS"] == "0.0.0.0"


def test_a_host_that_the_code_reads(tmp_path: Path) -> None:
    found = plan(tmp_path, {**MINIMAL, "src/main.rs": 'fn main() { std::env::var("HOST"); }\n'})
    assert found.env["HOST"] == "0.0.0.0"
    assert because(found, "HOST=") == "src/main.rs reads it"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('bind("127.0.0.1:3000")', "src/main.rs:2 listens on 127.0.0.1:3000, which nothing outside of its pod reaches"),
        ('bind(("0.0.0.0", 3000))', "src/main.rs:2 listens on 0.0.0.0:3000, whatever PORT says"),
    ],
)
def test_an_address_that_the_port_never_reaches(tmp_path: Path, line: str, said: str) -> None:
    found = plan(tmp_path, {**MINIMAL, "src/main.rs": f"// 127.0.0.1:80\n{line}\n"})
    assert found.warnings[0].startswith(said)
    assert plan(tmp_path, {"src/main.rs": f'{line}\nlet port = env::var("PORT");\n'}).warnings == ()


def test_queries_of_sqlx_are_checked_without_a_database(tmp_path: Path) -> None:
    found = plan(tmp_path, {**MINIMAL, ".sqlx/query-1.json": "{}"})
    assert found.steps[0].env["SQLX_OFFLINE"] == "true"
    assert Reason("SQLX_OFFLINE=true", ".sqlx is there") in found.reasons


def test_what_the_image_does_not_need(tmp_path: Path) -> None:
    vendored = '[source.vendored-sources]\ndirectory = "vendor"\n'
    found = plan(tmp_path, {**MINIMAL, ".cargo/config.toml": vendored})
    assert {"*.rs", "target/", "Cargo.toml", "/tests/", "/vendor/"} <= {*found.leave_out}


def test_what_cargo_never_reads_is_no_input(tmp_path: Path) -> None:
    files = {"Procfile": "web: shop\n", "Dockerfile": "", ".github/workflows/ci.yml": "", ".gitignore": "target\n"}
    assert plan(tmp_path, {**MINIMAL, **files, "README.md": ""}).steps[0].inputs == (
        "Cargo.lock", "Cargo.toml", "README.md", "src/main.rs",
    )  # fmt: skip


# The times that cargo sees: what changed since the last build that succeeded is new, the rest is old

TREE = {
    "Cargo.toml": '[workspace]\nmembers = ["a", "b", "c"]\n',
    "a/Cargo.toml": package("a"),
    "a/src/main.rs": MAIN,
    "a/src/part.rs": "",
    "b/Cargo.toml": package("b"),
    "b/src/lib.rs": "",
    "c/Cargo.toml": package("c"),
    "c/build.rs": MAIN,
    "c/src/lib.rs": "",
    "templates/hello.html": "hello",
}
OF_A = {"a/Cargo.toml", "a/src/main.rs", "a/src/part.rs"}
OF_B = {"b/Cargo.toml", "b/src/lib.rs"}
OF_C = {"c/Cargo.toml", "c/build.rs", "c/src/lib.rs"}
OLD = 315532800


class Tree:
    """A tree as each build gets it, and what is remembered from one to the next."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = dict(TREE)
        (folder / "state").mkdir()

    def build(self, succeeds: bool = True) -> set[str]:
        """The files that are new to cargo."""
        tree, state = self.folder / "tree", self.folder / "state"
        shutil.rmtree(tree, ignore_errors=True)
        for name, text in self.files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text)
        subprocess.run(["/bin/bash", SCRIPTS / "times.sh", tree, state], check=True)
        if succeeds:
            (state / "files.now").rename(state / "files")
        return {name for name in self.files if (tree / name).stat().st_mtime != OLD}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_what_was_never_built_is_new(tree: Tree) -> None:
    assert tree.build() == {*TREE}


def test_what_did_not_change_is_old(tree: Tree) -> None:
    tree.build()
    assert tree.build() == set()


def test_a_changed_module_makes_its_package_new_and_those_with_a_build_script(tree: Tree) -> None:
    tree.build()
    tree.files["a/src/part.rs"] = "// changed"
    assert tree.build() == OF_A | OF_C
    assert tree.build() == set()


def test_a_module_that_goes_or_comes_is_a_change(tree: Tree) -> None:
    tree.build()
    del tree.files["a/src/part.rs"]
    assert tree.build() == OF_A - {"a/src/part.rs"} | OF_C
    tree.files["b/src/new module.rs"] = ""
    assert tree.build() == OF_B | OF_C | {"b/src/new module.rs"}


@pytest.mark.parametrize("name", ["templates/hello.html", "b/Cargo.toml", "a/new.sql"])
def test_any_other_change_makes_all_new(tree: Tree, name: str) -> None:
    tree.build()
    tree.files[name] = "# changed"
    assert tree.build() == {*tree.files}


def test_a_file_that_is_gone_makes_all_new(tree: Tree) -> None:
    tree.build()
    del tree.files["templates/hello.html"]
    assert tree.build() == {*tree.files}


def test_after_a_build_that_failed_its_changes_are_new_again_even_when_taken_back(tree: Tree) -> None:
    tree.build()
    tree.files["a/src/part.rs"] = "// a mistake"
    tree.build(succeeds=False)
    assert tree.build(succeeds=False) == OF_A | OF_C
    tree.files["a/src/part.rs"] = TREE["a/src/part.rs"]
    assert tree.build() == OF_A | OF_C
    assert tree.build() == set()


def test_a_removal_in_a_build_that_failed_stays_a_change(tree: Tree) -> None:
    tree.build()
    del tree.files["a/src/part.rs"]
    tree.build(succeeds=False)
    assert tree.build() == OF_A - {"a/src/part.rs"} | OF_C


def test_a_first_build_that_failed_leaves_all_new(tree: Tree) -> None:
    tree.build(succeeds=False)
    assert tree.build() == {*TREE}


# What a failed build printed, and what it means


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        (
            "error: cannot update the lock file /app/Cargo.lock because --locked was passed to prevent this",
            "Cargo.lock does not match Cargo.toml",
        ),
        ("error: no matching package named `axumm` found", "A package that Cargo.toml names does not exist"),
        (
            "The system library `libsodium` required by crate `libsodium-sys` was not found.",
            "The crate libsodium-sys needs the C library libsodium",
        ),
        ("  rustc 1.85.1 is not supported by the following package:", "A package asks for a newer Rust"),
        (
            "error[E0554]: `#![feature]` may not be used on the stable release channel",
            "The code needs a nightly Rust, and this platform has stable ones",
        ),
        ("error: linker `clang` not found", "The linker that .cargo/config.toml names is not in the build image"),
        (
            "error: set `DATABASE_URL` to use query macros online, or run `cargo sqlx prepare`",
            "sqlx checks its queries at build time, and there is neither a database nor what it remembers of one",
        ),
        (
            "  process didn't exit successfully: `rustc --crate-name x` (signal: 9, SIGKILL: kill)",
            "The compiler was killed, most likely for lack of memory",
        ),
        ("warning: spurious network error (3 tries remaining)", "The registry does not answer"),
        ('error: could not compile `shop` (bin "shop") due to 1 previous error', "shop does not compile"),
    ],
)
def test_failures(printed: str, message: str) -> None:
    known = next(one for one in RUST.failures if re.search(one.match, printed))
    found = re.search(known.match, printed)
    assert found
    words = {name: value or "" for name, value in found.groupdict().items()}
    assert re.sub(r"\{(\w+)\}", lambda place: words.get(place[1], place[0]), known.message) == message


@pytest.mark.parametrize("name", ["compile.sh", "times.sh"])
def test_the_scripts_are_valid(name: str) -> None:
    assert subprocess.run(["/bin/bash", "-n", SCRIPTS / name], check=False).returncode == 0
