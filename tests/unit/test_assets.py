"""Data folders are found in a checkout and in a wheel."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from nucleo_cli import assets

FOLDERS = ["platforms", "chart_templates", "bpf_programs", "completions"]
CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", FOLDERS)
def test_a_checkout_has_them_at_its_top(name: str) -> None:
    assert assets.folder(name) == CHECKOUT / name
    assert assets.folder(name).is_dir()


@pytest.mark.parametrize("name", FOLDERS)
def test_a_wheel_has_them_inside_the_package(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "nucleo_cli" / "_assets" / name
    shipped.mkdir(parents=True)
    monkeypatch.setattr(assets, "_PACKAGE", tmp_path / "nucleo_cli")
    assert assets.folder(name) == shipped


def test_the_wheel_is_told_to_carry_each_of_them() -> None:
    text = (CHECKOUT / "pyproject.toml").read_text()
    for name in FOLDERS:
        assert f'{name} = "nucleo_cli/_assets/{name}"' in text


# Platforms of other packages


class Offer(NamedTuple):
    """An entry point of an installed package."""

    name: str
    value: str
    dist: Any


def given(monkeypatch: pytest.MonkeyPatch, found: list[Offer]) -> None:
    def entry_points(*, group: str) -> list[Offer]:
        return found if group == assets.GROUP else []

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)


@pytest.fixture
def offers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs platforms: (name of the platform, package that brings it, whether its folder is whole)."""

    def install(*wanted: tuple[str, str, bool]) -> None:
        found: list[Offer] = []
        for index, (name, package, whole) in enumerate(wanted):
            module = f"offered_{index}"
            (tmp_path / module).mkdir()
            if whole:
                (tmp_path / module / "platform.yml").touch()
            found.append(Offer(name, module, SimpleNamespace(name=package, version="1.0")))
        given(monkeypatch, found)

    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assets.installed_platforms.cache_clear()
    yield install
    assets.installed_platforms.cache_clear()


def test_a_platform_of_an_installed_package(offers: Callable[..., None], tmp_path: Path) -> None:
    offers(("hello", "their-platform", True))
    found = assets.platform_folder("hello")
    assert found == assets.PlatformFolder("hello", tmp_path / "offered_0", "their-platform 1.0", "offered_0")
    assert list(assets.platform_folders()) == sorted([*own(), "hello"])


def test_packages_are_not_looked_through_for_a_platform_of_nucleos_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("importlib.metadata.entry_points")
    assets.installed_platforms.cache_clear()
    found = assets.platform_folder("python")
    assert found is not None
    assert (found.path, found.package) == (CHECKOUT / "platforms" / "python", "")


def test_nobody_replaces_a_platform_of_nucleos_own(offers: Callable[..., None]) -> None:
    offers(("python", "their-platform", True))
    assert assets.platform_folders()["python"].package == ""
    (found,) = assets.installed_platforms()
    assert found.problem == "Nucleo has a platform python of its own, which is used"


def test_two_packages_with_the_same_platform_are_both_named(offers: Callable[..., None]) -> None:
    offers(("hello", "one", True), ("hello", "two", True))
    found = assets.platform_folders()["hello"]
    assert (found.package, found.problem) == (
        "one 1.0",
        "two 1.0 offers one of the same name: uninstall one of the two",
    )


@pytest.mark.parametrize(
    ("name", "whole", "problem"),
    [
        ("hello", False, "there is no platform.yml in "),
        ("../python", True, "'../python' cannot be the name of a platform"),
        ("Hello", True, "'Hello' cannot be the name of a platform"),
    ],
)
def test_what_cannot_be_used_says_why(offers: Callable[..., None], name: str, whole: bool, problem: str) -> None:
    offers((name, "broken", whole), ("fine", "fine", True))
    found = {each.name: each for each in assets.installed_platforms()}
    assert found[name].problem.startswith(problem)
    assert found["fine"].problem == ""
    assert assets.platform_folders()["fine"].problem == ""


@pytest.mark.parametrize("module", ["no_such_module", "no.such.module", "json.decoder", "raises.inside"])
def test_an_entry_point_that_names_no_package(
    offers: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str
) -> None:
    offers()
    (tmp_path / "raises").mkdir()
    (tmp_path / "raises" / "__init__.py").write_text("1 / 0\n")
    given(monkeypatch, [Offer("hello", module, None)])
    found = assets.platform_folder("hello")
    assert found is not None
    assert found.problem == f"its entry point names {module!r}, which is no Python package"
    assert found.package == "an installed package"


def test_a_name_that_nobody_offers(offers: Callable[..., None]) -> None:
    offers()
    assert assets.platform_folder("cobol") is None
    assert assets.platform_folder("../platforms/python") is None


def own() -> list[str]:
    return [file.parent.name for file in assets.folder("platforms").glob("*/platform.yml")]
