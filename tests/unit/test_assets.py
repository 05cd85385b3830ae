"""Data folders are found in a checkout and in a wheel."""

from pathlib import Path

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
