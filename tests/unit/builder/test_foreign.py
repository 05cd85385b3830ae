"""Platforms of other packages: what is wrong with one is one error that names it."""

import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from nucleo_cli import assets
from nucleo_cli.assets import PlatformFolder
from nucleo_cli.builder import foreign
from nucleo_cli.builder.source import read_source
from nucleo_cli.domain.build import Plan, Step
from nucleo_cli.errors import BuildFailed, NucleoError

WHOLE = {"detect": ["x"], "default": "1", "versions": {"1": {"suite": "trixie"}}}


def made(root: Path, yml: object = WHOLE, **files: str) -> PlatformFolder:
    """A package's platform, named after the test's own folder, so that each is imported anew."""
    module = f"foreign_{root.name}"
    folder = root / module
    folder.mkdir()
    (folder / "platform.yml").write_text(yml if isinstance(yml, str) else yaml.safe_dump(yml))
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return PlatformFolder("hello", folder, "their-platform 1.0", module)


@pytest.mark.parametrize("name", assets.platform_folders())
def test_those_of_nucleo_are_whole(name: str) -> None:
    assert foreign.read(assets.platform_folders()[name])


@pytest.mark.parametrize(
    ("yml", "what"),
    [
        ("a: [", "while parsing a flow"),
        ("- a", "it must be a mapping"),
        ({}, "detect is missing"),
        ({**WHOLE, "detect": []}, "detect is missing"),
        ({**WHOLE, "detect": "x"}, "detect must be a list"),
        ({**WHOLE, "defalt": "1"}, 'defalt is not a key here; did you mean "default"?'),
        ({**WHOLE, "default": 1.1}, "default must be text, in quotes"),
        ({**WHOLE, "default": "2"}, "default '2' is not one of versions"),
        ({**WHOLE, "versions": {3.1: {}}}, "versions: 3.1 needs quotes"),
        ({**WHOLE, "versions": {"1": None}}, "versions.1 must be a mapping"),
        ({**WHOLE, "versions": {"1": {}}}, "versions.1.suite is missing"),
        ({**WHOLE, "versions": {"1": {"suite": "x", "until": "soon"}}}, "versions.1.until must be a day: 2028-04-30"),
        ({**WHOLE, "failures": [{"match": "("}]}, "failures.message is missing"),
        ({**WHOLE, "failures": [{"match": "(", "message": "", "hint": ""}]}, "failures.match '(': missing )"),
    ],
)
def test_a_platform_yml_that_is_wrong(tmp_path: Path, yml: object, what: str) -> None:
    with pytest.raises(NucleoError) as caught:
        foreign.read(made(tmp_path, yml))
    assert "The platform hello of their-platform 1.0 cannot be used: platform.yml: " in caught.value.message
    assert what in caught.value.message
    assert caught.value.hint == "pip install --upgrade their-platform, or tell its makers"


def test_what_discovery_found_wrong_is_told(tmp_path: Path) -> None:
    folder = PlatformFolder("hello", tmp_path, "their-platform 1.0", problem="there is no platform.yml")
    with pytest.raises(NucleoError, match=r"their-platform 1\.0 cannot be used: there is no platform\.yml"):
        foreign.read(folder)


def planned(folder: PlatformFolder, root: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.setattr(sys, "path", [str(folder.path.parent), *sys.path])
    return foreign.planner(folder)(read_source(root), None, None, None)


def test_its_plan_is_of_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = (
        "from nucleo_cli.domain.build import Plan\nfrom .other import START\ndef plan(*_): return Plan('a', '1', START)"
    )
    folder = made(tmp_path, __init__="", plan=own, other="START = 'go'")
    assert planned(folder, tmp_path, monkeypatch).start == "go"


@pytest.mark.parametrize(
    ("plan", "what"),
    [
        ("import nowhere.to.be.found", "plan.py: ModuleNotFoundError: No module named 'nowhere' (plan.py:1)"),
        ("def plan(:", "plan.py: SyntaxError"),
        ("", "has no attribute 'plan'"),
        ("def plan(*_):\n  raise KeyError('x')", "plan.py: KeyError: 'x' (plan.py:2)"),
        ("def plan(*_): pass", "plan() returned NoneType, not a Plan"),
    ],
)
def test_a_plan_that_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plan: str, what: str) -> None:
    with pytest.raises(NucleoError) as caught:
        planned(made(tmp_path, __init__="", plan=plan), tmp_path, monkeypatch)
    assert "of their-platform 1.0 cannot be used: " in caught.value.message
    assert what in caught.value.message


def test_its_own_errors_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = "from nucleo_cli.errors import BuildFailed\ndef plan(*_): raise BuildFailed('no such thing')"
    with pytest.raises(BuildFailed, match=r"^no such thing$"):
        planned(made(tmp_path, __init__="", plan=own), tmp_path, monkeypatch)


def test_the_documented_example_has_every_key(tmp_path: Path) -> None:
    text = (assets.folder("platforms") / "README.md").read_text("utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    document = foreign.read(made(tmp_path, example))
    assert document.keys() == foreign.KEYS.keys()
    versions = [set(each) for each in document["versions"].values()]
    assert set().union(*versions) == foreign.VERSION_KEYS.keys()
    for name in (field.name for field in fields(Step)):
        assert re.search(rf"\b{name}\b", text), f"{name} of a step is not explained"
