"""The package manager: which one, in which version, and what it is told to do."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleo_cli.domain.build import Platform
from nucleo_cli.errors import BuildFailed

from .manifests import Project, absolute

if TYPE_CHECKING:
    from nucleo_cli.builder.source import Source

# The lock files of each manager. bun's are known to say what to do about them.
LOCKS = {
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
}
_WRITE = {"npm": "npm install --package-lock-only", "pnpm": "pnpm install --lockfile-only", "yarn": "yarn install"}
# What else decides about an installation, beside the lock file.
_SETTINGS = (
    *(".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", ".pnpmfile.mjs", "pnpm-workspace.yaml"),
    *(".yarn/releases/*", ".yarn/plugins/*", ".yarn/patches/*", ".yarn/cache/*", "patches/*", ".pnpm/*"),
)
# By the format of the lock file, the last version that leaves it as it is; the image has those for the newest formats.
_PNPM_OF_LOCK = {"5.3": "6.35.1", "5.4": "7.33.7", "6.0": "8.15.9", "6.1": "8.15.9"}
_BERRY_OF_LOCK = {"4": "2.4.2", "5": "3.8.7", "6": "3.8.7", "7": "3.8.7", "8": "4.13.0", "9": "4.14.1"}
# `focus` installs what the lock file does not know, too.
_BERRY_CHECK = (
    "cp yarn.lock /tmp/yarn.lock && yarn install --mode=update-lockfile && { cmp -s yarn.lock /tmp/yarn.lock"
    " || { echo 'YN0028: package.json and yarn.lock do not agree'; exit 1; }; }"
)
_EXACT = re.compile(r"(npm|pnpm|yarn|bun)@(\d+\.\d+\.\d+[\w.-]*)(?:\+[\w.=/+-]+)?")
_PLAIN_PATH = "/opt/tools/bin:/opt/node/bin:/usr/local/bin:/usr/bin:/bin"
# What managers write down about when and where they installed.
_NOTES = (
    ".package-lock.json",
    ".modules.yaml",
    ".pnpm-workspace-state.json",
    ".pnpm-workspace-state-v1.json",
    ".yarn-integrity",
)
_BERRY_NOTES = (".yarn", ".yarnrc.yml", "yarn.lock")

_ENV = {
    "HOME": "/tmp",  # noqa: S108  inside the build container
    "npm_config_cache": "/cache/npm",
    "npm_config_logs_max": "0",
    "npm_config_fetch_retries": "5",
    "npm_config_update_notifier": "false",
    "npm_config_fund": "false",
    "npm_config_audit": "false",
    "npm_config_progress": "false",
    # The headers for native modules, which node-gyp would download.
    "npm_package_config_node_gyp_nodedir": "/opt/tools",
    "HUSKY": "0",
}
_OWN_ENV = {
    "npm": {},
    "pnpm": {
        f"{prefix}_config_{name}": value
        for prefix in ("npm", "pnpm")  # the second since pnpm 11
        for name, value in {
            "store_dir": "/cache/pnpm",
            "package_import_method": "copy",
            "verify_deps_before_run": "false",
            "fetch_retries": "5",
        }.items()
    },
    "yarn": {"YARN_CACHE_FOLDER": "/cache/yarn"},
    "berry": {
        "YARN_GLOBAL_FOLDER": "/cache/berry",
        "YARN_NODE_LINKER": "node-modules",
        "YARN_ENABLE_TELEMETRY": "0",
        "YARN_HTTP_RETRY": "5",
        "YARN_ENABLE_PROGRESS_BARS": "0",
    },
}


@dataclass(frozen=True, slots=True)
class Manager:
    """npm, pnpm, yarn (1) or berry (yarn from 2 on), its version, and the lock file that it reads ("" without one).

    `because` says what decided. `in_image` is whether the build image has this very version.
    """

    name: str
    version: str
    lock: str
    because: str
    in_image: bool

    @property
    def program(self) -> str:
        return "yarn" if self.name == "berry" else self.name

    @property
    def env(self) -> dict[str, str]:
        own = f"/opt/tools/{self.name}/bin" if self.in_image else "/tmp/manager/bin"  # noqa: S108
        path = _PLAIN_PATH if self.in_image and self.name == "npm" else f"{own}:{_PLAIN_PATH}"
        return {**_ENV, **_OWN_ENV[self.name], "PATH": path}

    @property
    def fetch(self) -> str:
        """The command that brings the version which the app names; empty where the image has it."""
        if self.in_image:
            return ""
        package = "@yarnpkg/cli-dist" if self.name == "berry" else self.name
        return f"PATH={_PLAIN_PATH} npm install --silent --global --prefix /tmp/manager {package}@{self.version}"


def find(source: Source, project: Project, platform: Platform) -> Manager:
    """The manager whose lock file lies beside the root's package.json.

    Raises BuildFailed for two lock files, one that packageManager contradicts, none, and bun's.
    """
    found = [lock for lock in LOCKS if source.has(project.root.folder + lock)]
    managers = dict.fromkeys(LOCKS[lock] for lock in found)
    if len(found) > 1 and tuple(managers) != ("bun",):
        first, second = found[:2]
        raise BuildFailed(
            f"Both {first} and {second} state the dependencies, and they may differ",
            f"Keep the one that your team uses: git rm {first}, or git rm {second}",
        )
    named = _EXACT.fullmatch(project.root.text("packageManager") or project.app.text("packageManager"))
    asked = named.group(1) if named else None
    lock = found[0] if found else ""
    name = LOCKS[lock] if lock else asked or "npm"
    if name == "bun":
        raise BuildFailed(
            f"{lock or 'packageManager in package.json'} is bun's, which is not supported",
            "Run: npm install --package-lock-only, and commit package-lock.json in its place",
        )
    if asked is not None and asked != name:
        raise BuildFailed(
            f"package.json names {asked} in packageManager, but {lock} is {name}'s",
            f"Run: {_WRITE.get(asked, _WRITE['npm'])}, and git rm {lock}; or correct packageManager",
        )
    if not lock and any(package.dependencies for package in project.packages):
        _no_lock(source, project, name)
    return _versioned(source, project, platform, name, lock, named.group(2) if named else None)


def install(source: Source, project: Project, manager: Manager, production: bool) -> str:
    """The command that installs what the lock file says, run in the app's folder."""
    place = "" if project.root.folder == "" else f"cd {absolute(source, project.root.folder)}"
    member = project.app if project.is_workspace and project.app is not project.root else None
    commands = [place, manager.fetch, *_install(source, project, manager, production, member.name if member else None)]
    return " && ".join(command for command in commands if command)


def inputs(source: Source, project: Project, manager: Manager) -> tuple[str, ...]:
    """The files that an installation reads, besides the package.json of each package."""
    folder = project.root.folder
    patterns = [f"{folder}{name}" for name in (manager.lock, *_SETTINGS)]
    if folder:
        patterns.append(".npmrc")
    locals_ = tuple(_local(project))
    return tuple(
        path
        for path in source.tree
        if any(path == pattern or (pattern.endswith("*") and path.startswith(pattern[:-1])) for pattern in patterns)
        or any(path.startswith(local) for local in locals_)
    )


def files(source: Source, project: Project) -> dict[str, str]:
    """The part of each package.json that an installation depends on, by its path in the container."""
    return {f"{absolute(source, package.folder)}/package.json": package.reduced() for package in project.packages}


def notes(source: Source, project: Project) -> tuple[str, ...]:
    """What a manager writes about itself: it differs from one installation to the next, and no app needs it."""
    folder = absolute(source, project.root.folder)
    return tuple(f"{folder}/{name}" for name in (*(f"node_modules/{name}" for name in _NOTES), *_BERRY_NOTES))


def run(manager: Manager, script: str) -> str:
    return f"{manager.program} run {script}"


def _install(source: Source, project: Project, manager: Manager, production: bool, member: str | None) -> Iterator[str]:
    match manager.name:
        case "npm":
            only = f" --workspace={json.dumps(member)} --include-workspace-root" if member else ""
            yield f"npm ci{' --omit=dev' if production else ''}{only if production else ''}"
        case "pnpm":
            only = f" --filter={json.dumps(f'{member}...')}" if member else ""
            yield f"CI=true pnpm install --frozen-lockfile{f' --prod{only}' if production else ''}"
        case "yarn":
            yield (
                "yarn install --frozen-lockfile --non-interactive --mutex file:/cache/yarn.lock"
                f"{' --production' if production else ' --production=false'}"
            )
        case _:
            yield from _berry_settings(source, project)
            if production and _focuses(source, project, manager):
                yield _BERRY_CHECK
                yield f"yarn workspaces focus --production {json.dumps(member) if member else ''}".rstrip()
            else:
                yield "yarn install --immutable"


def _berry_settings(source: Source, project: Project) -> Iterator[str]:
    """Yarn from 2 on reads neither .npmrc nor the usual variables."""
    if any(path.startswith(f"{project.root.folder}.yarn/cache/") for path in source.tree):
        yield "export YARN_ENABLE_GLOBAL_CACHE=false YARN_CACHE_FOLDER=./.yarn/cache"
    else:
        yield "export YARN_ENABLE_GLOBAL_CACHE=true"
    for variable, own in (
        ("NPM_CONFIG_REGISTRY", "YARN_NPM_REGISTRY_SERVER"),
        ("HTTP_PROXY", "YARN_HTTP_PROXY"),
        ("HTTPS_PROXY", "YARN_HTTPS_PROXY"),
    ):
        yield f'if test -n "${{{variable}:-}}"; then export {own}="${variable}"; fi'


def _focuses(source: Source, project: Project, manager: Manager) -> bool:
    """Whether this yarn can install for production alone: a part of it since 4, a plugin before."""
    plugin = f"{project.root.folder}.yarn/plugins/@yarnpkg/plugin-workspace-tools.cjs"
    return int(manager.version.split(".")[0]) >= 4 or source.has(plugin)


def _versioned(
    source: Source, project: Project, platform: Platform, name: str, lock: str, asked: str | None
) -> Manager:
    text = source.read(project.root.folder + lock) or "" if lock else ""
    because = f"from {lock}" if lock else "the default"
    settings = source.read(f"{project.root.folder}.yarnrc.yml") or ""
    committed = re.search(r"^yarnPath:\s*\S*yarn-(\d[\w.-]*)\.cjs", settings, re.MULTILINE) if name == "yarn" else None
    if name == "yarn":
        berry = re.search(r"^__metadata:\s+version: (\d+)", text, re.MULTILINE)
        if berry or (asked and not asked.startswith("1.")):
            name = "berry"
        version = _BERRY_OF_LOCK.get(berry.group(1)) if berry else None
    else:
        found = re.search(r"^lockfileVersion: '?([\d.]+)'?", text, re.MULTILINE) if name == "pnpm" else None
        version = _PNPM_OF_LOCK.get(found.group(1)) if found else None
    if committed:  # the image's yarn hands over to it
        return Manager("berry", committed.group(1), lock, "from yarnPath in .yarnrc.yml", in_image=True)
    if asked is not None:
        version, because = asked, "from packageManager in package.json"
    version = version or platform.tools[name]
    return Manager(name, version, lock, because, version == platform.tools[name])


def _local(project: Project) -> Iterator[str]:
    """Folders and archives of the tree that are installed as packages (`file:../lib`), outside of a workspace."""
    for package in project.packages:
        for kind in ("dependencies", "devDependencies", "optionalDependencies"):
            for target in package.section(kind).values():
                if isinstance(target, str) and target.startswith(("file:", "link:", "portal:")):
                    yield posixpath.normpath(f"{package.folder}{target.partition(':')[2]}")


def _no_lock(source: Source, project: Project, name: str) -> None:
    ignored = source.read(project.root.folder + ".gitignore") or ""
    lock = next(lock for lock, manager in LOCKS.items() if manager == name)
    if lock in ignored.split():
        raise BuildFailed(
            f"{lock} is named in .gitignore, so the build cannot see which versions to install",
            f"Take it out of .gitignore and commit {lock}",
        )
    raise BuildFailed(
        "package.json has dependencies, but no lock file says which versions to install",
        f"Run: {_WRITE[name]}, and commit {lock}",
    )
