"""The bundled platforms and the keys of their images."""

import dataclasses
import re
from itertools import product

import pytest

from nucleo_cli.builder import platforms
from nucleo_cli.errors import NotFound


def test_every_platform_is_whole() -> None:
    for name in platforms.names():
        platform = platforms.load(name)
        assert platform.default in platform.versions
        assert platform.detect
        for version, architecture in product(platform.versions, ("amd64", "arm64")):
            assert not re.search(r"(?<!\$)\{\w+\}", platforms.setup_script(platform, version, architecture))
        assert callable(platforms.planner(name))


def test_an_unknown_platform_is_named_with_the_known_ones() -> None:
    with pytest.raises(NotFound, match='there is no platform "kobold"') as caught:
        platforms.load("kobold")
    assert "python" in caught.value.hint
    with pytest.raises(NotFound) as caught:
        platforms.load("pyton")
    assert caught.value.hint == 'did you mean "python"?'


def test_the_recipe_key_sees_all_that_the_images_are_made_of() -> None:
    platform = platforms.load("python")
    version = platform.versions["3.13"]
    others = [
        dataclasses.replace(platform, setup="true"),
        dataclasses.replace(platform, versions={"3.13": dataclasses.replace(version, tools={"uv": "0.0.1"})}),
        dataclasses.replace(platform, versions={"3.13": dataclasses.replace(version, run=("python3",))}),
        dataclasses.replace(platform, versions={"3.13": dataclasses.replace(version, suite="sid")}),
    ]
    keys = {platforms.recipe_key(one, "3.13", "amd64") for one in (platform, *others)}
    keys.add(platforms.recipe_key(platform, "3.13", "arm64"))
    assert len(keys) == 6
    assert platforms.recipe_key(dataclasses.replace(platform, failures=()), "3.13", "amd64") in keys


def test_the_tag_says_the_version() -> None:
    assert platforms.image_tag(platforms.load("python"), "3.13", "amd64").startswith("3.13-")


@pytest.mark.parametrize(("machine", "name"), [("x86_64", "amd64"), ("aarch64", "arm64"), ("ARM64", "arm64")])
def test_architectures_have_their_image_names(machine: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert platforms.architecture() == name
