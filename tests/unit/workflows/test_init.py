"""The smallest nucleo.yml: what speaks for a platform, what is written, and what is left alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from nucleo_cli import assets, config
from nucleo_cli.builder import platforms
from nucleo_cli.config.schema import json_schema
from nucleo_cli.config.values import platforms as known_platforms
from nucleo_cli.errors import NucleoError, UsageError
from nucleo_cli.workflows import init

KNOWN = ", ".join(known_platforms())


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def two_platforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Platforms python and ruby, of which the second is only a platform.yml."""
    real = (assets.folder("platforms") / "python" / "platform.yml").read_text()
    for name, text in (("python", real), ("ruby", real.replace("requirements.txt", "Gemfile"))):
        (tmp_path / "platforms" / name).mkdir(parents=True)
        (tmp_path / "platforms" / name / "platform.yml").write_text(text)
    platforms.load.cache_clear()
    monkeypatch.setattr(assets, "folder", lambda name: tmp_path / name)  # type: ignore[misc]
    yield
    platforms.load.cache_clear()


@pytest.mark.parametrize("file", ["requirements.txt", "pyproject.toml", "uv.lock", "Pipfile", "manage.py"])
def test_a_file_speaks_for_python(shop: Path, file: str) -> None:
    (shop / file).touch()
    assert init.detect(shop) == [init.Found("python", file)]


def test_no_file_speaks_for_a_platform(shop: Path) -> None:
    (shop / "requirements.txt").mkdir()
    assert init.detect(shop) == []


@pytest.mark.parametrize("name", known_platforms())
def test_each_platform_is_found_by_its_example(name: str) -> None:
    example = assets.folder("platforms") / name / "example"
    assert [each.platform for each in init.decided(init.detect(example))] == [name]


@pytest.mark.parametrize(
    ("files", "platforms"),
    [
        (["package.json", "requirements.txt"], ["python"]),
        (["package.json", "Gemfile"], ["ruby"]),
        (["package.json", "index.html"], ["node"]),
        (["index.html"], ["static"]),
        (["index.html", "package.json", "go.mod"], ["go"]),
        (["package.json", "Gemfile", "requirements.txt"], ["python", "ruby"]),
    ],
)
def test_what_is_there_for_the_sake_of_another_platform(files: list[str], platforms: list[str]) -> None:
    speaks_for = {
        "package.json": "node", "requirements.txt": "python", "Gemfile": "ruby", "index.html": "static", "go.mod": "go"
    }  # fmt: skip
    found = sorted(init.Found(speaks_for[file], file) for file in files)
    assert [each.platform for each in init.decided(found)] == platforms


@pytest.mark.usefixtures("two_platforms")
def test_two_platforms(shop: Path) -> None:
    (shop / "requirements.txt").touch()
    (shop / "Gemfile").touch()
    assert init.detect(shop) == [init.Found("python", "requirements.txt"), init.Found("ruby", "Gemfile")]


def test_what_is_written_is_valid_and_names_a_schema_that_is_there(shop: Path) -> None:
    init.write(shop, "python")
    text = (shop / "nucleo.yml").read_text()
    assert text == "# yaml-language-server: $schema=.nucleo/schema.json\nplatform: python\n"
    assert json.loads((shop / ".nucleo" / "schema.json").read_text()) == json_schema()
    assert sorted(path.name for path in (shop / ".nucleo").iterdir()) == ["schema.json"]
    assert config.load(shop).name == "shop"


def test_a_name_and_a_version_are_written_where_given(shop: Path) -> None:
    init.write(shop, "python:3.13", "true")
    app = config.load(shop)
    assert (app.name, app.platform, app.platform_version) == ("true", "python", "3.13")


def test_a_file_that_is_there_is_left_alone(shop: Path) -> None:
    (shop / "nucleo.yml").write_text("mine")
    with pytest.raises(UsageError, match=r"nucleo\.yml is already there") as caught:
        init.write(shop, "python")
    assert caught.value.hint.startswith("nucleo validate")
    assert (shop / "nucleo.yml").read_text() == "mine"
    assert not (shop / ".nucleo").exists()


def test_a_link_to_nowhere_is_there_too(shop: Path) -> None:
    (shop / "nucleo.yml").symlink_to("elsewhere")
    with pytest.raises(UsageError, match="already there"):
        init.check_free(shop)


def test_the_other_ending(shop: Path) -> None:
    (shop / "nucleo.yaml").touch()
    with pytest.raises(UsageError, match="is not read") as caught:
        init.check_free(shop)
    assert caught.value.hint == "rename nucleo.yaml to nucleo.yml"


def test_a_folder_that_is_none(shop: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        init.check_free(shop / "nowhere")


def test_nothing_is_written_through_a_link(shop: Path) -> None:
    victim = shop.parent / "victim"
    victim.mkdir()
    (victim / "schema.json").write_text("mine")
    (shop / ".nucleo").symlink_to(victim)
    with pytest.raises(UsageError, match="is a symbolic link"):
        init.write(shop, "python")
    (shop / ".nucleo").unlink()
    (shop / ".nucleo").mkdir()
    (shop / ".nucleo" / "schema.json").symlink_to(victim / "schema.json")
    init.write(shop, "python")
    assert (victim / "schema.json").read_text() == "mine"


def test_a_folder_that_cannot_be_written(shop: Path) -> None:
    (shop / ".nucleo").touch()
    with pytest.raises(NucleoError, match=r"\.nucleo cannot be written: File exists"):
        init.write(shop, "python")


@pytest.mark.parametrize(
    ("platform", "message"),
    [
        ("cobol", f'--platform must be one of {KNOWN}, got "cobol"'),
        ("pyton", f'--platform must be one of {KNOWN}, got "pyton"; did you mean "python"?'),
        ("python:", '--platform must be a platform, with a version if need be, such as "python" or "python:3.13"'),
        ("python\nenv", f"--platform must be one of {KNOWN}" + r', got "python\nenv"; did you mean "python"?'),
    ],
)
def test_a_platform_that_is_none(platform: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        init.check_platform(platform)
    assert caught.value.message == message


def test_a_name_that_cannot_be(shop: Path) -> None:
    init.check_name("shop")
    with pytest.raises(UsageError, match="--app must be a name of at most 40") as caught:
        init.check_name('Shop"\nenv: {A: b}')
    assert caught.value.hint == "for example shop-env-a-b"
