"""nucleo platforms: the table, one platform, and what cannot be used."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from nucleo_cli import assets
from nucleo_cli.assets import PlatformFolder
from nucleo_cli.builder import platforms as recipes
from nucleo_cli.commands.platforms import render, render_one
from nucleo_cli.errors import Exit
from nucleo_cli.terminal.style import Style
from nucleo_cli.workflows.platforms import read_platform, read_platforms
from tests.unit.commands.observed import answer

PLAIN, COLOR = Style(False), Style(True)
TODAY = date(2027, 1, 1)
YML = """\
detect: [a.txt, b.txt, c.txt, d.txt]
default: "2"
versions:
  "2": { suite: trixie, until: 2029-01-01, tools: { kit: 2.0.1 } }
  "1": { suite: bookworm, until: 2027-03-01, build: [old-dev] }
  "0": { suite: bookworm, until: 2026-12-31 }
packages: { run: [lib], build: [lib-dev] }
tools: { helper: 1.2 }
caches: [/cache]
app_caches: [/cache-app]
host_env: [KIT_*]
host_files: { kitrc: { from: ~/.kitrc } }
cross: true
"""


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """There is one platform, kit, and a package that brings a broken one."""
    (tmp_path / "platforms" / "kit").mkdir(parents=True)
    (tmp_path / "platforms" / "kit" / "platform.yml").write_text(YML)
    (tmp_path / "platforms" / "kit" / "plan.py").write_text("def plan(): pass\n")
    broken = PlatformFolder("broken", tmp_path, "theirs 1.0", "theirs", "it has no plan")
    empty = PlatformFolder("empty", tmp_path / "platforms" / "kit", "empty 1.0", "no_such_module")
    monkeypatch.setattr(assets, "folder", lambda name: tmp_path / name)  # type: ignore[misc]
    monkeypatch.setattr(assets, "installed_platforms", lambda: (broken, empty))
    recipes.load.cache_clear()
    yield
    recipes.load.cache_clear()


@pytest.mark.usefixtures("one")
def test_each_version_says_how_long_it_is_supported() -> None:
    assert render(read_platforms(TODAY), PLAIN).splitlines()[:4] == [
        "PLATFORM  VERSION      SUPPORT ENDS            DETECTED BY",
        "empty     2 (default)  2029-01-01              a.txt, b.txt, c.txt …",
        "          1            2027-03-01, in 59 days",
        "          0            2026-12-31, over",
    ]


@pytest.mark.usefixtures("one")
def test_what_ends_soon_stands_out() -> None:
    lines = render(read_platforms(TODAY), COLOR).splitlines()
    assert [line.startswith("\x1b[33m") for line in lines[1:4]] == [False, True, True]


@pytest.mark.usefixtures("one")
def test_a_platform_in_full() -> None:
    assert render_one(read_platform("kit", TODAY), PLAIN).splitlines() == [
        "VERSION      SUPPORT ENDS            DEBIAN    TOOLS",
        "2 (default)  2029-01-01              trixie    kit 2.0.1",
        "1            2027-03-01, in 59 days  bookworm",
        "0            2026-12-31, over        bookworm",
        "",
        "detected by      a.txt, b.txt, c.txt, d.txt",
        "tools            helper 1.2",
        "in the image     lib",
        "for building     lib-dev",
        "caches           /cache (of all apps), /cache-app (of each app)",
        "of this machine  KIT_*, ~/.kitrc",
        "builds for       amd64 and arm64, on any machine",
        "comes from       Nucleo itself, nucleo-cli 0.1.0",
    ]


@pytest.mark.usefixtures("one")
def test_what_cannot_be_used_is_told_beside_the_others() -> None:
    told = answer(None, "platforms")
    assert (told.code, "kit" in told.out) == (0, True)
    assert told.err == "theirs 1.0 cannot be used: it has no plan\n"


@pytest.mark.usefixtures("one")
def test_for_machines() -> None:
    told = answer(None, "platforms", "--json")
    kit = next(each for each in told.json["platforms"] if each["platform"] == "kit")
    assert [each["version"] for each in kit["versions"] if each["default"]] == ["2"]
    assert kit["versions"][0]["until"] == "2029-01-01"
    assert told.json["problems"] == [{"package": "theirs 1.0", "problem": "it has no plan"}]
    assert answer(None, "platforms", "list", "--json").json == told.json


@pytest.mark.usefixtures("one")
@pytest.mark.parametrize("name", ["broken", "empty"])
def test_one_that_cannot_be_used_is_an_error(name: str) -> None:
    told = answer(None, "platforms", "show", name)
    assert (told.code, told.out) == (Exit.FAILED, "")
    assert f"The platform {name} of " in told.err


def test_an_unknown_name() -> None:
    told = answer(None, "platforms", "show", "pyton")
    assert told.code == Exit.NOT_FOUND
    assert told.err == 'error: there is no platform "pyton"\nhint:  did you mean "python"?\n'
    assert "python" in answer(None, "platforms", "show", "kobold").err


@pytest.mark.parametrize("name", assets.platform_folders())
def test_each_of_nucleos_own_is_shown(name: str) -> None:
    told = answer(None, "platforms", "show", name, "--json")
    assert told.code == 0
    assert told.json["bundled"]


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("platforms", "--help"), "Usage: nucleo platforms"),
        (("platforms", "-h"), "Usage: nucleo platforms"),
    ],
)
def test_help_is_that_of_the_group(capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], text: str) -> None:
    assert answer(None, *argv).code == 0
    assert text in capsys.readouterr().out


def test_a_misspelled_subcommand() -> None:
    told = answer(None, "platforms", "shw")
    assert (told.code, "did you mean nucleo platforms show?" in told.err) == (Exit.USAGE, True)
