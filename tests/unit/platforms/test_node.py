"""The node platform: what it makes of a tree."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from nucleo_cli.builder import platforms
from nucleo_cli.builder.source import read_source
from nucleo_cli.domain.build import Plan, Reason, Start, Step
from nucleo_cli.errors import BuildFailed

NODE = platforms.load("node")
LOCK = json.dumps({"lockfileVersion": 3, "packages": {}})
PNPM_LOCK = "lockfileVersion: '9.0'\n"
YARN_LOCK = "# yarn lockfile v1\n"
BERRY_LOCK = "__metadata:\n  version: 10\n"


def plan(
    root: Path,
    package: dict[str, Any],
    files: dict[str, str] | None = None,
    *,
    version: str | None = None,
    start: Start | None = None,
    folder: str = "",
) -> Plan:
    for name, text in {f"{folder}package.json": json.dumps(package), **(files or {})}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    depth = folder.count("/")
    source = read_source(root / folder, "/".join([".."] * depth) or ".")
    return platforms.planner("node")(source, NODE, version, start)


def app(**more: Any) -> dict[str, Any]:
    """A package.json with a start script and one dependency."""
    return {"name": "shop", "scripts": {"start": "node server.js"}, "dependencies": {"express": "^5"}, **more}


def because(found: Plan, choice: str) -> str:
    return next(reason.because for reason in found.reasons if reason.choice.startswith(choice))


def step(found: Plan, name: str) -> Step:
    return next(step for step in found.steps if step.name == name)


SERVER = {"server.js": "", "package-lock.json": LOCK}


# Which Node


@pytest.mark.parametrize(
    ("package", "files", "version", "reason"),
    [
        ({}, {}, "26", "the platform's default"),
        ({}, {".nvmrc": "v20.11.1\n"}, "20", "from .nvmrc"),
        ({}, {".nvmrc": "lts/jod"}, "22", "from .nvmrc"),
        ({}, {".nvmrc": "lts/*"}, "26", "from .nvmrc"),
        ({}, {".nvmrc": "# ours\n24 # for now\n"}, "24", "from .nvmrc"),
        ({}, {".nvmrc": "node"}, "26", "from .nvmrc"),
        ({}, {".node-version": "22.1.0"}, "22", "from .node-version"),
        ({}, {".tool-versions": "python 3.13\nnodejs 24.1.0\n"}, "24", "from .tool-versions"),
        ({"volta": {"node": "20.9.0"}}, {}, "20", "from volta in package.json"),
        ({"engines": {"node": ">=18"}}, {}, "26", "from engines.node in package.json: >=18"),
        ({"engines": {"node": ">=18 <25"}}, {}, "24", "from engines.node"),
        ({"engines": {"node": "^20.1 || ^22"}}, {}, "22", "from engines.node"),
        ({"engines": {"node": "20.x"}}, {}, "20", "from engines.node"),
        ({"engines": {"node": "18 - 22"}}, {}, "22", "from engines.node"),
        ({"engines": {"node": "~24.1"}}, {}, "24", "from engines.node"),
        ({"engines": {"node": "20.11.1"}}, {}, "20", "from engines.node"),
        ({"engines": {"node": ">= 22.0.0 < 24"}}, {}, "22", "from engines.node"),
        ({"engines": {"node": "*"}}, {}, "26", "from engines.node"),
        ({"devEngines": {"runtime": {"name": "node", "version": "^24"}}}, {}, "24", "from devEngines.runtime"),
        ({"engines": {"node": ">=18"}}, {".nvmrc": "22"}, "22", "from .nvmrc"),
    ],
)
def test_the_version(tmp_path: Path, package: dict[str, Any], files: dict[str, str], version: str, reason: str) -> None:
    found = plan(tmp_path, app(**package), {**SERVER, **files})
    assert found.version == version
    assert because(found, f"node {version}").startswith(reason)
    assert not found.warnings


def test_nucleo_yml_decides_the_version(tmp_path: Path) -> None:
    found = plan(tmp_path, app(), {**SERVER, ".nvmrc": "20"}, version="24")
    assert found.reasons[0] == Reason("node 24", "from nucleo.yml")


def test_files_that_contradict_each_other_are_a_warning(tmp_path: Path) -> None:
    found = plan(tmp_path, app(engines={"node": ">=24"}), {**SERVER, ".nvmrc": "20"})
    assert found.warnings == (".nvmrc names Node 20, but engines.node in package.json asks for >=24",)


@pytest.mark.parametrize(
    ("package", "files", "version", "message"),
    [
        ({}, {}, "16", r"nucleo\.yml asks for Node 16"),
        ({}, {".nvmrc": "lts/gallium"}, None, r"\.nvmrc asks for Node lts/gallium"),
        ({"engines": {"node": ">=28"}}, {}, None, r"engines\.node in package\.json asks for Node >=28"),
        ({"engines": {"node": "twenty"}}, {}, None, "asks for Node twenty"),
    ],
)
def test_a_version_that_is_not_there(
    tmp_path: Path, package: dict[str, Any], files: dict[str, str], version: str | None, message: str
) -> None:
    with pytest.raises(BuildFailed, match=message) as caught:
        plan(tmp_path, app(**package), {**SERVER, **files}, version=version)
    assert caught.value.hint == "It has: 26, 24, 22, 20"


# Which package manager


@pytest.mark.parametrize(
    ("package", "files", "manager", "command"),
    [
        ({}, {"package-lock.json": LOCK}, f"npm {NODE.tools['npm']}", "npm ci --omit=dev"),
        ({}, {"npm-shrinkwrap.json": LOCK}, f"npm {NODE.tools['npm']}", "npm ci --omit=dev"),
        ({}, {"pnpm-lock.yaml": PNPM_LOCK}, f"pnpm {NODE.tools['pnpm']}", "pnpm install --frozen-lockfile --prod"),
        ({}, {"pnpm-lock.yaml": "lockfileVersion: '6.0'\n"}, "pnpm 8.15.9", "pnpm@8.15.9"),
        ({}, {"yarn.lock": YARN_LOCK}, f"yarn {NODE.tools['yarn']}", "--frozen-lockfile --non-interactive"),
        ({}, {"yarn.lock": BERRY_LOCK}, f"yarn {NODE.tools['berry']}", "yarn workspaces focus --production"),
        (
            {"packageManager": "pnpm@9.1.0+sha512.abc"},
            {"pnpm-lock.yaml": PNPM_LOCK},
            "pnpm 9.1.0",
            "npm install --silent --global --prefix /tmp/manager pnpm@9.1.0",
        ),
        ({"packageManager": "yarn@4.5.0"}, {"yarn.lock": BERRY_LOCK}, "yarn 4.5.0", "@yarnpkg/cli-dist@4.5.0"),
    ],
)
def test_the_manager(
    tmp_path: Path, package: dict[str, Any], files: dict[str, str], manager: str, command: str
) -> None:
    found = plan(tmp_path, app(**package), {"server.js": "", **files})
    assert found.reasons[1].choice == manager
    assert command in step(found, "dependencies").command


def test_yarn_before_4_cannot_leave_development_out(tmp_path: Path) -> None:
    found = plan(tmp_path, app(), {"server.js": "", "yarn.lock": "__metadata:\n  version: 6\n"})
    assert "yarn install --immutable" in step(found, "dependencies").command
    assert found.warnings == ("yarn 3.8.7 installs development dependencies too; yarn 4 leaves them out of the image",)


@pytest.mark.parametrize(
    ("package", "files", "message", "hint"),
    [
        (
            {},
            {"package-lock.json": LOCK, "yarn.lock": ""},
            "Both package-lock.json and yarn.lock state the dependencies, and they may differ",
            "Keep the one that your team uses: git rm package-lock.json, or git rm yarn.lock",
        ),
        (
            {},
            {},
            "package.json has dependencies, but no lock file says which versions to install",
            "Run: npm install --package-lock-only, and commit package-lock.json",
        ),
        (
            {"packageManager": "pnpm@10.0.0"},
            {},
            "package.json has dependencies, but no lock file says which versions to install",
            "Run: pnpm install --lockfile-only, and commit pnpm-lock.yaml",
        ),
        (
            {},
            {".gitignore": "node_modules\npackage-lock.json\n"},
            "package-lock.json is named in .gitignore, so the build cannot see which versions to install",
            "Take it out of .gitignore and commit package-lock.json",
        ),
        (
            {},
            {"bun.lock": "{}"},
            "bun.lock is bun's, which is not supported",
            "Run: npm install --package-lock-only, and commit package-lock.json in its place",
        ),
        (
            {"packageManager": "pnpm@10.0.0"},
            {"package-lock.json": LOCK},
            "package.json names pnpm in packageManager, but package-lock.json is npm's",
            "Run: pnpm install --lockfile-only, and git rm package-lock.json; or correct packageManager",
        ),
    ],
)
def test_lock_files_that_do_not_fit(
    tmp_path: Path, package: dict[str, Any], files: dict[str, str], message: str, hint: str
) -> None:
    with pytest.raises(BuildFailed) as caught:
        plan(tmp_path, app(**package), {"server.js": "", **files})
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        ({}, "There is no package.json", "Run: npm init --yes"),
        ({"pakage.json": "{}"}, "pakage.json is not read: the name is package.json", "git mv pakage.json package.json"),
        ({"web/package.json": "{}"}, "There is no package.json here, but there is web/package.json", "nucleo -C web"),
        ({"package.json": "[]"}, "package.json is not valid: it must be an object", "npm init"),
    ],
)
def test_a_manifest_that_is_missing_or_odd(tmp_path: Path, files: dict[str, str], message: str, hint: str) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(BuildFailed, match=re.escape(message)) as caught:
        platforms.planner("node")(read_source(tmp_path), NODE, None, None)
    assert hint in caught.value.hint


def test_a_mistake_in_package_json_has_its_position(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{\n  "name": "shop",\n}\n')
    with pytest.raises(BuildFailed, match=r"package\.json is not valid JSON: .*line (2|3)"):
        platforms.planner("node")(read_source(tmp_path), NODE, None, None)


# Which steps


def test_an_app_without_dependencies_needs_no_step(tmp_path: Path) -> None:
    found = plan(tmp_path, {"scripts": {"start": "node server.js"}}, {"server.js": ""})
    assert found.steps == ()


def test_only_what_is_installed_decides_about_the_installation(tmp_path: Path) -> None:
    one = plan(tmp_path, app(description="a shop"), SERVER).steps[0]
    two = plan(tmp_path, app(scripts={"start": "node server.js", "test": "jest"}), SERVER).steps[0]
    assert one == two
    assert one.inputs == ("package-lock.json",)
    assert json.loads(one.files["/app/package.json"]) == {"name": "shop", "dependencies": {"express": "^5"}}


def test_what_the_build_needs_does_not_ship(tmp_path: Path) -> None:
    package = app(scripts={"start": "node dist/index.js", "build": "tsc"}, devDependencies={"typescript": "^5"})
    found = plan(tmp_path, package, {"package-lock.json": LOCK, "src/index.ts": ""})
    production, everything, build = found.steps
    assert (production.name, production.ships, production.after) == ("dependencies", True, ())
    assert (everything.name, everything.ships, everything.after) == ("build dependencies", False, ())
    assert (build.name, build.ships, build.after) == ("build", True, ("build dependencies",))
    assert build.changed_only
    assert "src/index.ts" in build.inputs
    assert "src/index.ts" not in everything.inputs
    assert "/app/node_modules/.cache" in build.exclude


def test_without_development_dependencies_there_is_one_installation(tmp_path: Path) -> None:
    package = app(scripts={"start": "node server.js", "build": "node build.js"})
    found = plan(tmp_path, package, SERVER)
    assert [(one.name, one.after) for one in found.steps] == [("dependencies", ()), ("build", ("dependencies",))]


@pytest.mark.parametrize(
    ("scripts", "runs"),
    [
        ({"build": "tsc"}, ["npm run build"]),
        ({"prepare": "husky", "build": "tsc"}, ["npm run build"]),
        ({"preinstall": "npx only-allow npm", "build": "tsc"}, ["npm run build"]),
        ({"postinstall": "prisma generate", "build": "tsc"}, ["npm run postinstall", "npm run build"]),
        ({"postinstall": "npm run build", "build": "tsc"}, ["npm run postinstall"]),
        ({"heroku-postbuild": "make", "build": "tsc"}, ["npm run heroku-postbuild"]),
    ],
)
def test_scripts_that_run(tmp_path: Path, scripts: dict[str, str], runs: list[str]) -> None:
    package = app(scripts={"start": "node server.js", **scripts}, devDependencies={"typescript": "^5"})
    build = step(plan(tmp_path, package, SERVER), "build")
    assert re.findall(r"npm run [\w-]+", build.command) == runs


def test_committed_node_modules_are_left_out(tmp_path: Path) -> None:
    found = plan(tmp_path, app(), {**SERVER, "node_modules/express/index.js": ""})
    assert "node_modules/" in found.leave_out
    assert found.warnings[0].startswith("node_modules is part of the source")


def test_settings_and_local_packages_are_inputs(tmp_path: Path) -> None:
    package = app(dependencies={"lib": "file:./vendor/lib"})
    files = {**SERVER, ".npmrc": "", "patches/x.patch": "", "vendor/lib/package.json": "{}"}
    found = plan(tmp_path, package, files)
    assert found.steps[0].inputs == (".npmrc", "package-lock.json", "patches/x.patch", "vendor/lib/package.json")


# How it starts


@pytest.mark.parametrize(
    ("package", "files", "line", "reason"),
    [
        ({"scripts": {"start": "node ./bin/www"}}, {"bin/www": ""}, "node ./bin/www", "the script start"),
        ({"scripts": {"start": "npm run serve", "serve": "node a.js"}}, {"a.js": ""}, "node a.js", "the script start"),
        (
            {"scripts": {"start": "NODE_ENV=production node a.js"}},
            {"a.js": ""},
            "env NODE_ENV=production node a.js",
            "",
        ),
        ({"scripts": {"start": "cross-env A=1 node a.js"}}, {"a.js": ""}, "env A=1 node a.js", "the script start"),
        ({"scripts": {"start": "nodemon a.js"}}, {"a.js": ""}, "node a.js", "the script start"),
        (
            {"scripts": {"start": "node one.js && node two.js"}},
            {"one.js": "", "two.js": ""},
            "sh -c 'node one.js && exec node two.js'",
            "the script start",
        ),
        (
            {"scripts": {"prestart": "node prepare.js", "start": "npm run go", "go": "node a.js"}},
            {"a.js": "", "prepare.js": ""},
            "node a.js",
            "the script start",
        ),
        ({"main": "lib/web.js"}, {"lib/web.js": ""}, "node lib/web.js", "main in package.json"),
        ({}, {"index.js": ""}, "node index.js", "the usual name"),
        ({}, {"src/server.mjs": ""}, "node src/server.mjs", "the usual name"),
        ({}, {"server.ts": ""}, "node server.ts", "the usual name"),
        (
            {"scripts": {"build": "tsc"}},
            {"src/index.ts": "", "tsconfig.json": '{"compilerOptions": {"outDir": "./out"}}'},
            "node out/index.js",
            "the usual name",
        ),
        (
            {
                "dependencies": {"@nestjs/core": "^11"},
                "scripts": {"build": "nest build", "start": "nest start", "start:prod": "node dist/main"},
            },
            {"src/main.ts": "", "nest-cli.json": ""},
            "node dist/main",
            "the script start:prod",
        ),
        (
            {"dependencies": {"next": "^16"}, "scripts": {"build": "next build", "start": "next start"}},
            {},
            "next start",
            "the script start",
        ),
        (
            {"dependencies": {"nuxt": "^4"}, "scripts": {"build": "nuxt build", "postinstall": "nuxt prepare"}},
            {},
            "env HOST=0.0.0.0 node .output/server/index.mjs",
            "Nuxt",
        ),
        (
            {
                "devDependencies": {"@sveltejs/kit": "^2", "@sveltejs/adapter-node": "^5"},
                "scripts": {"build": "vite build"},
            },
            {},
            "env HOST=0.0.0.0 node build",
            "SvelteKit",
        ),
        (
            {
                "dependencies": {"astro": "^6", "@astrojs/node": "^10"},
                "scripts": {"build": "astro build", "start": "astro dev"},
            },
            {},
            "env HOST=0.0.0.0 node ./dist/server/entry.mjs",
            "Astro",
        ),
    ],
)
def test_the_start_command(
    tmp_path: Path, package: dict[str, Any], files: dict[str, str], line: str, reason: str
) -> None:
    found = plan(tmp_path, package, {"package-lock.json": LOCK, **files})
    assert found.start == line
    assert because(found, f"start: {line}").startswith(reason)


@pytest.mark.parametrize(
    "given", ["npm run web", "npx node server.js", "pnpm exec node server.js", "yarn node server.js"]
)
def test_a_procfile_does_without_the_manager(tmp_path: Path, given: str) -> None:
    package = app(scripts={"web": "node server.js"})
    found = plan(tmp_path, package, SERVER, start=Start(given, "from Procfile"))
    assert found.start == "node server.js"


def test_a_resolved_command_keeps_what_runs_before_it(tmp_path: Path) -> None:
    package = {"scripts": {"prestart": "node warm.js", "start": "node a.js"}}
    found = plan(tmp_path, package, {"a.js": "", "warm.js": ""}, start=Start("npm start", "from Procfile"))
    assert found.start == "sh -c 'node warm.js && exec node a.js'"
    assert found.reasons[-1].because == "from Procfile"


def test_what_nucleo_yml_says_wins(tmp_path: Path) -> None:
    found = plan(tmp_path, app(), SERVER, start=Start("node server.js --fast", "from nucleo.yml"))
    assert found.reasons[-1] == Reason("start: node server.js --fast", "from nucleo.yml")


@pytest.mark.parametrize(
    ("package", "files", "message", "hint"),
    [
        ({}, {}, "Neither a start script nor a server was found", "scripts"),
        (
            {"main": "lib/web.js"},
            {"lib/wep.js": ""},
            "main in package.json names lib/web.js, which is not there",
            "wep",
        ),
        ({"scripts": {"start": "node sever.js"}}, {"server.js": ""}, "there is no sever.js", "Perhaps server.js?"),
        (
            {"scripts": {"start": "tsx src/a.ts"}, "devDependencies": {"tsx": "^4"}},
            {"src/a.ts": ""},
            "tsx is a development dependency, which is not in the image",
            "npm install --save-prod tsx",
        ),
        (
            {
                "devDependencies": {"@sveltejs/kit": "^2", "@sveltejs/adapter-auto": "^6"},
                "scripts": {"build": "vite build"},
            },
            {},
            "SvelteKit has no adapter here that makes a server of the app",
            "@sveltejs/adapter-node",
        ),
    ],
)
def test_an_app_that_cannot_start(
    tmp_path: Path, package: dict[str, Any], files: dict[str, str], message: str, hint: str
) -> None:
    with pytest.raises(BuildFailed, match=re.escape(message)) as caught:
        plan(tmp_path, package, {"package-lock.json": LOCK, **files})
    assert hint in caught.value.hint


# Files for browsers


@pytest.mark.parametrize(
    ("package", "files", "line"),
    [
        ({"devDependencies": {"vite": "^8"}}, {}, "dist --fallback"),
        (
            {"devDependencies": {"vite": "^8"}},
            {"vite.config.ts": 'build: { outDir: "./site" } // outDir: "x"'},
            "site --fallback",
        ),
        ({"dependencies": {"react-scripts": "5"}, "scripts": {"start": "react-scripts start"}}, {}, "build --fallback"),
        ({"dependencies": {"astro": "^6"}}, {}, "dist"),
        ({"dependencies": {"gatsby": "^5"}, "scripts": {"start": "gatsby develop"}}, {}, "public"),
        ({"dependencies": {"next": "^16"}}, {"next.config.js": "module.exports = {output: 'export'}"}, "out"),
        (
            {"devDependencies": {"@angular/cli": "^20"}, "scripts": {"start": "ng serve"}},
            {"angular.json": json.dumps({"projects": {"shop": {"architect": {"build": {"options": {}}}}}})},
            "dist/shop/browser --fallback",
        ),
        (
            {"devDependencies": {"@sveltejs/kit": "^2", "@sveltejs/adapter-static": "^3", "vite": "^8"}},
            {"svelte.config.js": "adapter({fallback: '200.html'})"},
            "build --fallback",
        ),
    ],
)
def test_a_site_is_served(tmp_path: Path, package: dict[str, Any], files: dict[str, str], line: str) -> None:
    package = {**package, "scripts": {"build": "build", **package.get("scripts", {})}}
    found = plan(tmp_path, package, {"package-lock.json": LOCK, "src/main.js": "", **files})
    assert found.start == f"node /opt/app/serve.mjs {line}"
    assert [(one.name, one.ships) for one in found.steps] == [
        ("build dependencies", False),
        ("build", True),
        ("static server", True),
    ]
    assert step(found, "build").output == f"/app/{line.split()[0]}"
    assert found.leave_out == ("*",)


def test_a_server_beside_vite_is_a_server(tmp_path: Path) -> None:
    package = app(scripts={"build": "vite build", "start": "node server.js"}, devDependencies={"vite": "^8"})
    found = plan(tmp_path, package, SERVER)
    assert found.start == "node server.js"
    assert [one.name for one in found.steps] == ["dependencies", "build dependencies", "build"]


STANDALONE = {"next.config.ts": 'const config = { output: "standalone" };', "package-lock.json": LOCK}
NEXT = {"dependencies": {"next": "^16"}, "scripts": {"build": "next build", "start": "next start"}}


def test_next_standalone_is_all_that_ships(tmp_path: Path) -> None:
    found = plan(tmp_path, NEXT, STANDALONE)
    assert found.start == "env HOSTNAME=0.0.0.0 node .next/standalone/server.js"
    assert [(one.name, one.ships) for one in found.steps] == [("build dependencies", False), ("build", True)]
    assert step(found, "build").output == "/app/.next/standalone"
    assert found.leave_out == ("*",)


def test_next_standalone_in_a_workspace(tmp_path: Path) -> None:
    files = {"package.json": MEMBERS["package.json"], "package-lock.json": LOCK}
    web = {"services/web/next.config.ts": STANDALONE["next.config.ts"]}
    found = plan(tmp_path, {"name": "web", **NEXT}, {**files, **web}, folder="services/web/")
    assert found.start == "env HOSTNAME=0.0.0.0 node .next/standalone/services/web/server.js"
    assert step(found, "build").output == "/app/services/web/.next/standalone"
    assert "cp -r .next/static .next/standalone/services/web/.next/" in step(found, "build").command


def test_what_next_draws_at_random_is_made_of_the_source(tmp_path: Path) -> None:
    one = step(plan(tmp_path / "one", NEXT, {**STANDALONE, "page.tsx": "1"}), "build")
    two = step(plan(tmp_path / "two", NEXT, {**STANDALONE, "page.tsx": "2"}), "build")
    key = "export NEXT_SERVER_ACTIONS_ENCRYPTION_KEY="
    keys = [line for each in (one, two) for line in each.command.split(" && ") if line.startswith(key)]
    assert keys[0] == keys[1]
    names = [re.findall(r"steady\.mjs \.next '(\w+)'", each.command) for each in (one, two)]
    assert names[0] != names[1]
    own = {**STANDALONE, "next.config.ts": "export default { generateBuildId: () => 'mine' }"}
    assert "steady.mjs .next ''" in step(plan(tmp_path / "three", NEXT, own), "build").command


def test_next_without_standalone_hears_of_it(tmp_path: Path) -> None:
    found = plan(tmp_path, NEXT, {"package-lock.json": LOCK})
    assert found.start == "next start"
    assert found.warnings == ('output: "standalone" in next.config would make the image some 300 MB smaller',)


@pytest.mark.parametrize(
    "files",
    [
        {"nucleo.yml": "platform: node\nprocesses: {worker: {start: node worker.js}}\n"},
        {"nucleo.yml": "cmd: {release: node migrate.js}\n"},
        {"Procfile": "web: next start\nworker: node worker.js\n"},
    ],
)
def test_all_of_the_app_ships_where_other_commands_run(tmp_path: Path, files: dict[str, str]) -> None:
    found = plan(tmp_path, NEXT, {**STANDALONE, **files})
    assert [one.name for one in found.steps] == ["dependencies", "build"]
    assert step(found, "build").changed_only
    assert "*" not in found.leave_out


# Workspaces

MEMBERS = {
    "package.json": json.dumps({"name": "all", "workspaces": ["packages/*", "services/*"]}),
    "package-lock.json": LOCK,
    "packages/lib/package.json": json.dumps({"name": "@shop/lib", "scripts": {"build": "tsc"}}),
    "packages/base/package.json": json.dumps({"name": "@shop/base", "scripts": {"build": "tsc"}}),
    "packages/other/package.json": json.dumps({"name": "@shop/other", "scripts": {"build": "tsc"}}),
    "services/api/server.js": "",
}
API = {
    "name": "api",
    "scripts": {"start": "node server.js", "build": "tsc"},
    "dependencies": {"@shop/lib": "*", "express": "^5"},
    "devDependencies": {"typescript": "^5"},
}


def test_a_member_of_a_workspace(tmp_path: Path) -> None:
    lib = json.dumps({"name": "@shop/lib", "scripts": {"build": "tsc"}, "dependencies": {"@shop/base": "*"}})
    found = plan(tmp_path, API, {**MEMBERS, "packages/lib/package.json": lib}, folder="services/api/")
    production, _, build = found.steps
    assert production.command == 'cd /app && npm ci --omit=dev --workspace="api" --include-workspace-root'
    assert production.output == "/app"
    assert production.changed_only
    assert production.inputs == ("../../package-lock.json",)
    assert sorted(production.files) == [
        "/app/package.json",
        "/app/packages/base/package.json",
        "/app/packages/lib/package.json",
        "/app/packages/other/package.json",
        "/app/services/api/package.json",
    ]
    order = re.findall(r"cd (/app/packages/\w+) && npm run build", build.command)
    assert order == ["/app/packages/base", "/app/packages/lib"]
    assert build.command.endswith("npm run build")
    assert found.env["PATH"].startswith("/app/services/api/node_modules/.bin:/app/node_modules/.bin:")


def test_a_member_of_a_pnpm_workspace(tmp_path: Path) -> None:
    files = {
        **{name: text for name, text in MEMBERS.items() if name not in ("package.json", "package-lock.json")},
        "package.json": json.dumps({"name": "all", "packageManager": f"pnpm@{NODE.tools['pnpm']}"}),
        "pnpm-workspace.yaml": "packages:\n  - 'packages/**'\n  - 'services/*'\n  - '!packages/other'\n",
        "pnpm-lock.yaml": PNPM_LOCK,
    }
    found = plan(tmp_path, API, files, folder="services/api/")
    command = 'cd /app && CI=true pnpm install --frozen-lockfile --prod --filter="api..."'
    assert found.steps[0].command == command
    assert "/app/packages/other/package.json" not in found.steps[0].files
    assert "pnpm run build" in found.steps[2].command


def test_an_app_below_a_root_that_is_no_workspace(tmp_path: Path) -> None:
    files = {"services/api/server.js": "", "services/api/package-lock.json": LOCK, "package.json": "{}"}
    found = plan(tmp_path, app(), files, folder="services/api/")
    assert found.steps[0].output == "/app/services/api/node_modules"
    assert found.steps[0].command == "npm ci --omit=dev"


def test_a_workspace_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"pnpm-workspace\.yaml is not valid YAML: .*line 2"):
        plan(tmp_path, app(), {**SERVER, "pnpm-workspace.yaml": "packages:\n  - '*\n"})


# What failed steps mean


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("npm error Missing: left-pad@1.3.0 from lock file", "package.json and package-lock.json do not agree"),
        (
            "npm error 404 Not Found - GET https://registry.npmjs.org/no-such-thing - Not found",
            "The registry has no package no-such-thing, or does not show it without a login",
        ),
        (
            "ERR_PNPM_FETCH_404  GET https://registry.npmjs.org/@acme%2Fui: Not Found - 404",
            "The registry has no package @acme%2Fui, or does not show it without a login",
        ),
        ("npm error code ECONNREFUSED", "The registry does not answer"),
        ("gyp ERR! build error", "A package has to be compiled, and that failed"),
        ("sh: 1: tsc: not found", "A script runs tsc, which no dependency brings"),
        ("Error: Cannot find module 'left-pad'", "The build uses the package left-pad, which is not installed"),
        ("src/a.ts(1,7): error TS2322: Type 'string'", "The TypeScript code has type errors"),
    ],
)
def test_failures(printed: str, message: str) -> None:
    known, found = next((one, match) for one in NODE.failures if (match := re.search(one.match, printed)))
    assert known.message.format(**found.groupdict()) == message
