"""The php platform: what it makes of a tree."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from nucleo_cli.builder import platforms
from nucleo_cli.builder.source import read_source
from nucleo_cli.domain.build import Plan, Reason, Start, Step
from nucleo_cli.errors import BuildFailed

PHP = platforms.load("php")
START = "sh /opt/app/server/start"
PAGE = "<?php echo 1;\n"


def composer(**values: Any) -> str:
    return json.dumps({"require": {"slim/slim": "^4"}, **values})


def lock(*names: str, **values: Any) -> str:
    return json.dumps({"packages": [{"name": name, "version": "1.0", **values} for name in names]})


APP = {"composer.json": composer(), "composer.lock": lock("slim/slim"), "public/index.php": PAGE}


def plan(root: Path, files: dict[str, str], version: str | None = None, start: Start | None = None) -> Plan:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return platforms.planner("php")(read_source(root), PHP, version, start)


def because(found: Plan, choice: str) -> str:
    return next(reason.because for reason in found.reasons if reason.choice.startswith(choice))


def step(found: Plan, name: str) -> Step:
    return next(step for step in found.steps if step.name == name)


def conf(found: Plan) -> str:
    return step(found, "server").files["/opt/app/server/apache2.conf"]


# Which PHP


@pytest.mark.parametrize(
    ("files", "version", "reason"),
    [
        ({}, "8.4", "the platform's default"),
        ({".php-version": "8.2\n"}, "8.2", "from .php-version: 8.2"),
        ({".tool-versions": "ruby 3.3\nphp 8.2.20\n"}, "8.2", "from .tool-versions: 8.2.20"),
        ({"composer.json": composer(require={"php": "^8.1"})}, "8.4", "from composer.json: ^8.1"),
        ({"composer.json": composer(require={"php": "~8.2.0"})}, "8.2", "from composer.json: ~8.2.0"),
        (
            {"composer.json": composer(require={"php": ">=8.1"}, config={"platform": {"php": "8.2.10"}})},
            "8.2",
            "from config.platform in composer.json: 8.2.10",
        ),
    ],
)
def test_the_version(tmp_path: Path, files: dict[str, str], version: str, reason: str) -> None:
    found = plan(tmp_path, {**APP, **files})
    assert found.version == version
    assert because(found, f"php {version}") == reason
    assert f"libphp{version}.so" in conf(found)


@pytest.mark.parametrize(
    ("constraint", "fitting"),
    [
        ("^8.2", "8.4 8.2"),
        ("^7.4 || ^8.0", "8.4 8.2"),
        ("^7.4|~8.2.0", "8.2"),
        (">=8.1 <8.4", "8.2"),
        (">= 8.1, < 8.4", "8.2"),
        (">=8.1,<8.4.5", "8.4 8.2"),
        ("8.2.*", "8.2"),
        ("8.*", "8.4 8.2"),
        ("8.2 - 8.3", "8.2"),
        ("!=8.4", "8.2"),
        ("!=8.4.1", "8.4 8.2"),
        (">8.2", "8.4"),
        (">8.2.3", "8.4 8.2"),
        ("<=8.2", "8.2"),
        ("~8.2", "8.4 8.2"),
        ("8.2.1", "8.2"),
        ("*", "8.4 8.2"),
        ("^7.4", ""),
    ],
)
def test_constraints(tmp_path: Path, constraint: str, fitting: str) -> None:
    files = {**APP, "composer.json": composer(require={"php": constraint})}
    if not fitting:
        with pytest.raises(BuildFailed, match="does not have") as caught:
            plan(tmp_path, files)
        assert caught.value.hint == "It has: 8.4, 8.2"
        return
    assert plan(tmp_path, files).version == fitting.split()[0]


def test_nucleo_yml_decides_the_version(tmp_path: Path) -> None:
    assert plan(tmp_path, APP, version="8.2").reasons[0] == Reason("php 8.2", "from nucleo.yml")
    with pytest.raises(BuildFailed, match=r"nucleo\.yml asks for PHP 7\.4"):
        plan(tmp_path, APP, version="7.4")


# Which packages


def test_the_packages_are_one_layer_made_of_the_lock_file(tmp_path: Path) -> None:
    found = plan(tmp_path, {**APP, "src/App.php": PAGE})
    assert [one.name for one in found.steps] == ["server", "packages"]
    packages = step(found, "packages")
    assert packages.inputs == ("composer.json", "composer.lock")
    assert packages.output == "/app/vendor"
    assert found.leave_out == ("/vendor/", "/node_modules/")
    script = next(iter(packages.files.values()))
    assert "--no-dev" in script
    assert "--no-scripts" in script


def test_what_is_looked_through_for_classes_is_an_input(tmp_path: Path) -> None:
    document = composer(
        autoload={"classmap": ["database/"], "psr-4": {"App\\": "src/"}},
        repositories=[{"type": "path", "url": "packages/*"}, {"type": "vcs", "url": "x"}],
    )
    files = {"composer.json": document, "database/Seed.php": "", "src/App.php": "", "packages/one/composer.json": "{}"}
    assert step(plan(tmp_path, {**APP, **files}), "packages").inputs == (
        "composer.json", "composer.lock", "database/Seed.php", "packages/one/composer.json",
    )  # fmt: skip


def test_another_folder_for_the_packages(tmp_path: Path) -> None:
    found = plan(tmp_path, {**APP, "composer.json": composer(config={"vendor-dir": "lib/"})})
    assert step(found, "packages").output == "/app/lib"
    assert found.leave_out[0] == "/lib/"


def test_an_app_of_a_larger_tree(tmp_path: Path) -> None:
    document = composer(repositories={"shared": {"type": "path", "url": "../../packages/*"}})
    files = {**{f"apps/shop/{k}": v for k, v in {**APP, "composer.json": document}.items()}, "packages/a/a.php": ""}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = platforms.planner("php")(read_source(tmp_path / "apps/shop", "../.."), PHP, None, None)
    assert "../../packages/a/a.php" in step(found, "packages").inputs
    assert 'DocumentRoot "/app/apps/shop/public"' in conf(found)


def test_scripts_run_with_the_apps_files(tmp_path: Path) -> None:
    scripts = {"post-install-cmd": ["@php x"], "post-autoload-dump": "y", "test": "phpunit"}
    found = plan(tmp_path, {**APP, "composer.json": composer(scripts=scripts), "src/App.php": ""})
    one = step(found, "scripts")
    assert one.command.endswith(
        "composer run-script --no-dev post-autoload-dump && composer run-script --no-dev post-install-cmd"
    )
    assert "src/App.php" in one.inputs
    assert one.after == ("packages",)
    assert one.changed_only


def test_pages_without_composer(tmp_path: Path) -> None:
    found = plan(tmp_path, {"index.php": PAGE})
    assert [one.name for one in found.steps] == ["server"]
    assert found.start == START


def test_no_lock_file_is_needed_for_no_packages(tmp_path: Path) -> None:
    document = composer(require={"php": ">=8", "ext-mbstring": "*"})
    assert step(plan(tmp_path, {"composer.json": document, "index.php": PAGE}), "packages").reason.startswith(
        "composer"
    )


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        ({"composer.lock": lock()}, r"composer\.lock is there, but", "Add composer.json, or"),
        (
            {"compser.json": "{}", "index.php": ""},
            r"compser\.json is not read",
            "Run: git mv compser.json composer.json",
        ),
        ({"Composer.json": "{}", "index.php": ""}, r"Composer\.json is not read", "Run: git mv"),
        (
            {"composer.json": '{"require": {}\n"x"}'},
            r"composer\.json is not valid JSON: .*line 2",
            "Correct composer.json",
        ),
        ({"composer.json": "[]"}, r"composer\.json is not an object", "Correct composer.json"),
        ({"composer.json": composer()}, r"composer\.json has no composer\.lock", "Run: composer update --no-install"),
        (
            {"composer.json": composer(), "composer.lock": lock("psr/log")},
            r"composer\.lock is older than composer\.json: it lacks slim/slim",
            "Run: composer update slim/slim",
        ),
        (
            {"composer.json": composer(), "composer.lock": "<<<<<<< HEAD\n"},
            r"composer\.lock is not valid JSON",
            "Correct",
        ),
        ({"composer.json": "{}", "bin/server.php": ""}, r"There is no index\.php at the top, nor in", "Say how"),
    ],
)
def test_bad_input(tmp_path: Path, files: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(BuildFailed, match=message) as caught:
        plan(tmp_path, files)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(hint)


def test_a_package_that_another_one_replaces_is_there(tmp_path: Path) -> None:
    found = plan(tmp_path, {**APP, "composer.lock": lock("my/slim", replace={"slim/slim": "4.0"}, provide=[])})
    assert found.start == START


# The web root, and how it starts


@pytest.mark.parametrize(
    ("files", "start", "root"),
    [
        ({"public/index.php": "", "index.php": ""}, None, "/app/public"),
        ({"web/index.php": ""}, None, "/app/web"),
        ({"webroot/index.php": ""}, None, "/app/webroot"),
        ({"index.php": "", "public/style.css": ""}, None, "/app"),
        ({"docs/index.php": ""}, "vendor/bin/heroku-php-nginx -C nginx.conf docs/", "/app/docs"),
        ({"index.php": ""}, "heroku-php-apache2", "/app"),
    ],
)
def test_the_web_root(tmp_path: Path, files: dict[str, str], start: str | None, root: str) -> None:
    given = None if start is None else Start(start, "from Procfile")
    found = plan(tmp_path, files, start=given)
    assert f'DocumentRoot "{root}"' in conf(found)
    assert found.start == START


def test_what_is_said_wins(tmp_path: Path) -> None:
    found = plan(tmp_path, {"bin/server.php": PAGE}, start=Start("php bin/server.php", "from nucleo.yml"))
    assert found.start == "php bin/server.php"
    assert found.reasons[-1] == Reason("start: php bin/server.php", "from nucleo.yml")


def test_an_index_alone_answers_for_every_address(tmp_path: Path) -> None:
    assert "FallbackResource /index.php" in conf(plan(tmp_path, {"public/index.php": "", "src/a.php": ""}))
    assert "FallbackResource" not in conf(plan(tmp_path, {"public/about.php": ""}))


def test_what_lies_beside_the_pages_is_not_served(tmp_path: Path) -> None:
    assert "(vendor/|composer" in conf(plan(tmp_path, {"index.php": ""}))
    assert "(vendor/|composer" not in conf(plan(tmp_path, {"public/index.php": ""}))


# Frameworks


def test_laravel(tmp_path: Path) -> None:
    files = {
        "composer.json": composer(
            require={"laravel/framework": "^11"}, scripts={"post-autoload-dump": ["@php artisan x"]}
        ),
        "composer.lock": lock("laravel/framework"),
        "artisan": "",
        "public/index.php": "",
        "storage/logs/.gitignore": "",
    }
    found = plan(tmp_path, files)
    assert found.env["LARAVEL_STORAGE_PATH"] == "/tmp/storage"
    assert found.env["LOG_CHANNEL"] == "stderr"
    assert "cp -R --no-clobber storage/." in step(found, "server").files["/opt/app/server/start"]
    text = " ".join(one.command for one in found.steps)
    assert "config:cache" not in text
    assert "migrate" not in text


def test_symfony(tmp_path: Path) -> None:
    files = {
        "composer.json": composer(require={"symfony/framework-bundle": "7.*"}),
        "composer.lock": lock("symfony/framework-bundle"),
        "bin/console": "",
        "public/index.php": "",
    }
    found = plan(tmp_path, files)
    assert found.env["APP_ENV"] == "prod"
    scripts = step(found, "scripts")
    assert "cache:warmup" in scripts.command
    assert scripts.env["APP_ENV"] == "prod"
    assert because(found, "scripts") == "Symfony of composer.lock"


def test_a_build_script_that_needs_node_is_told(tmp_path: Path) -> None:
    found = plan(tmp_path, {**APP, "package.json": '{"scripts": {"build": "vite build"}}'})
    assert "this platform has no node" in found.warnings[0]
    assert plan(tmp_path, {"package.json": "[]"}).warnings == ()
    assert plan(tmp_path, {"package.json": "{"}).warnings == ()


# What failed steps mean


@pytest.mark.parametrize(
    ("printed", "message", "hint"),
    [
        (
            "- Root composer.json requires PHP extension ext-imagick * but it is missing from your system.",
            "extension imagick",
            "apt: [php-imagick]",
        ),
        ("- x/y is locked to 1 and requires ext-gmp * -> it is missing from", "extension gmp", "apt: [php-gmp]"),
        (
            "- acme/x is locked to version 1.0 and requires php <8.3 -> your php version (8.4.1) does not satisfy",
            "needs PHP <8.3; the platform's is 8.4.1",
            "composer update",
        ),
        ('- Required package "psr/log" is not present in the lock file.', "lacks psr/log", "composer update psr/log"),
        (
            'The "https://api.github.com/x" file could not be downloaded (HTTP/2 404 )',
            "could not be downloaded",
            "AUTH",
        ),
        ("curl error 7 while downloading https://repo.packagist.org/", "does not answer", "proxy"),
        ("symfony/flex contains a Composer plugin which is blocked by your allow-plugins config", "plugin", "config"),
        ("Script @php artisan package:discover returned with error code 1", "script", "database"),
    ],
)
def test_what_failed_steps_mean(printed: str, message: str, hint: str) -> None:
    known, found = next((one, found) for one in PHP.failures if (found := re.search(one.match, printed)))
    words = {name: value or "" for name, value in found.groupdict().items()}
    assert message in re.sub(r"\{(\w+)\}", lambda name: words.get(name[1], name[0]), known.message)
    assert hint in re.sub(r"\{(\w+)\}", lambda name: words.get(name[1], name[0]), known.hint)
