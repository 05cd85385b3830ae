"""The python platform: what it makes of a tree."""

import base64
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nucleo_cli.builder import platforms
from nucleo_cli.builder.source import read_source
from nucleo_cli.domain.build import Plan, Reason, Start
from nucleo_cli.errors import BuildFailed

PYTHON = platforms.load("python")
FLASK = "from flask import Flask\napp = Flask(__name__)\n"
GUNICORN = PYTHON.tools["gunicorn"]
UVICORN = PYTHON.tools["uvicorn"]


def plan(
    root: Path, files: dict[str, str], version: str | None = None, start: str | None = None, folder: str = ""
) -> Plan:
    """The plan of a tree, or of the app in a folder of it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    source = read_source(root / folder, "../" * len(Path(folder).parts) or ".")
    given = Start(start, "from nucleo.yml") if start else None
    return platforms.planner("python")(source, PYTHON, version, given)


def because(found: Plan, choice: str) -> str:
    return next(reason.because for reason in found.reasons if reason.choice.startswith(choice))


# Which Python


@pytest.mark.parametrize(
    ("files", "version", "reason"),
    [
        ({}, "3.13", "the platform's default"),
        ({".python-version": "# pyenv\n3.11.4\n"}, "3.11", "from .python-version"),
        ({".python-version": "3\n"}, "3.13", "from .python-version"),
        ({".python-version": "cpython-3.11\n"}, "3.11", "from .python-version"),
        ({"runtime.txt": "python-3.11.9\n"}, "3.11", "from runtime.txt"),
        ({".tool-versions": "nodejs 24\npython 3.11.9 # old\n"}, "3.11", "from .tool-versions"),
        ({".tool-versions": "nodejs 24\n"}, "3.13", "the platform's default"),
        ({"mise.toml": '[tools]\npython = "3.11"\n'}, "3.11", "from mise.toml"),
        ({".mise.toml": '[tools.python]\nversion = "3.11"\n'}, "3.11", "from .mise.toml"),
        ({"pyproject.toml": '[project]\nrequires-python = ">=3.10,<3.12"\n'}, "3.11", "from requires-python"),
        ({"pyproject.toml": '[project]\nrequires-python = ">=3.10"\n'}, "3.13", "from requires-python"),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "~3.11"\n'}, "3.11", "from pyproject.toml: ~3.11"),
        ({"Pipfile": '[requires]\npython_version = "3.11"\n'}, "3.11", "from Pipfile: ==3.11"),
    ],
)
def test_the_version(tmp_path: Path, files: dict[str, str], version: str, reason: str) -> None:
    found = plan(tmp_path, {"requirements.txt": "flask==3\n", "app.py": FLASK, **files})
    assert found.version == version
    assert because(found, f"python {version}").startswith(reason)


def test_nucleo_yml_decides_the_version(tmp_path: Path) -> None:
    files = {"requirements.txt": "flask==3\n", "app.py": FLASK, ".python-version": "3.13"}
    found = plan(tmp_path, files, version="3.11")
    assert found.reasons[0] == Reason("python 3.11", "from nucleo.yml")


@pytest.mark.parametrize(
    ("files", "version", "message"),
    [
        ({}, "3.9", r"nucleo\.yml asks for Python 3\.9"),
        ({".python-version": "pypy3.10"}, None, r"\.python-version asks for Python pypy3\.10"),
        ({"pyproject.toml": '[project]\nrequires-python = ">=3.14"\n'}, None, r"asks for Python >=3\.14"),
    ],
)
def test_a_version_that_is_not_there(tmp_path: Path, files: dict[str, str], version: str | None, message: str) -> None:
    with pytest.raises(BuildFailed, match=message) as caught:
        plan(tmp_path, {"requirements.txt": "", **files}, version=version)
    assert caught.value.hint == "It has: 3.13, 3.11"


def test_a_mistake_in_pyproject_has_its_position(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"pyproject\.toml is not valid TOML.*line 1"):
        plan(tmp_path, {"pyproject.toml": "[project\n"})


# Which dependencies

LOCKED = '[[package]]\nname = "flask"\nversion = "3.1.3"\n'
POETRY = LOCKED + 'groups = ["main"]\nfiles = [{file = "f", hash = "sha256:1"}]\n[metadata]\nlock-version = "2.1"\n'
PDM = LOCKED + 'groups = ["default"]\nmarker = "python_version > \\"3\\""\nfiles = [{file = "f", hash = "sha256:1"}]\n'
PIPENV = '{"_meta": {"sources": []}, "default": {"flask": {"version": "==3.1.3", "hashes": ["sha256:1"]}}}'
PROJECT = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["flask>=3"]\n'


@pytest.mark.parametrize(
    ("files", "manager", "command"),
    [
        ({"requirements.txt": "flask==3\n"}, "pip", "-r requirements.txt"),
        ({"requirements.txt": "flask==3 \\\n --hash=sha256:1\n"}, "pip", "--require-hashes -r requirements.txt"),
        ({"pyproject.toml": PROJECT, "uv.lock": LOCKED}, "uv", "uv sync --frozen --no-dev --no-install-project"),
        ({"pyproject.toml": PROJECT, "poetry.lock": POETRY}, "poetry", "-r /tmp/requirements.txt"),
        ({"pyproject.toml": PROJECT, "poetry.lock": LOCKED}, "poetry", "poetry export --only main"),
        ({"pyproject.toml": PROJECT, "pdm.lock": PDM}, "pdm", "-r /tmp/requirements.txt"),
        ({"Pipfile": "", "Pipfile.lock": PIPENV}, "pipenv", "-r /tmp/requirements.txt"),
        ({"pyproject.toml": PROJECT}, "pyproject", "-r pyproject.toml"),
    ],
)
def test_the_manager(tmp_path: Path, files: dict[str, str], manager: str, command: str) -> None:
    found = plan(tmp_path, {"app.py": FLASK, **files})
    assert manager in [reason.choice for reason in found.reasons]
    step = found.steps[0]
    assert command in step.command
    assert step.output == "/app/.venv"
    assert set(step.inputs) == set(files)
    assert f"gunicorn=={GUNICORN}" in step.command


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({"pyproject.toml": PROJECT, "poetry.lock": POETRY}, "flask==3.1.3 --hash=sha256:1"),
        ({"pyproject.toml": PROJECT, "pdm.lock": PDM}, 'flask==3.1.3 ; python_version > "3" --hash=sha256:1'),
        ({"Pipfile": "", "Pipfile.lock": PIPENV}, "flask==3.1.3 --hash=sha256:1"),
    ],
)
def test_locks_become_requirements(tmp_path: Path, files: dict[str, str], line: str) -> None:
    found = plan(tmp_path, {"app.py": FLASK, **files})
    assert found.steps[0].files["/tmp/requirements.txt"] == f"{line}\n"


def test_what_poetry_can_lock(tmp_path: Path) -> None:
    package = '[[package]]\nname = "{}"\nversion = "1"\ngroups = {}\n{}\n'
    lock = (
        package.format(
            "plain", '["main"]', 'files = [{file = "a", hash = "sha256:2"}, {file = "b", hash = "sha256:1"}]'
        )
        + package.format("dev", '["dev"]', "")
        + package.format("extra", '["main"]', "optional = true")
        + package.format("win", '["main", "dev"]', 'markers = {main = "os_name == \\"nt\\"", dev = "x"}')
        + package.format(
            "vcs",
            '["main"]',
            '[package.source]\ntype = "git"\nurl = "https://x/v.git"\nresolved_reference = "abc"\nsubdirectory = "p"',
        )
        + package.format("near", '["main"]', '[package.source]\ntype = "directory"\nurl = "libs/near"')
        + package.format("far", '["main"]', '[package.source]\ntype = "url"\nurl = "https://x/far.whl"')
        + package.format("corp", '["main"]', '[package.source]\ntype = "legacy"\nurl = "https://pypi.corp/simple"')
        + '[metadata]\nlock-version = "2.1"\n'
    )
    files = {
        "app.py": FLASK,
        "pyproject.toml": PROJECT,
        "poetry.lock": lock,
        "libs/near/setup.py": "",
        "libs/far.py": "",
    }
    step = plan(tmp_path, files).steps[0]
    assert step.files["/tmp/requirements.txt"].splitlines() == [
        "plain==1 --hash=sha256:1 --hash=sha256:2",
        'win==1 ; os_name == "nt"',
        "vcs @ git+https://x/v.git@abc#subdirectory=p",
        "near @ file:///app/libs/near",
        "far @ https://x/far.whl",
        "--extra-index-url https://pypi.corp/simple",
        "corp==1",
    ]
    assert step.inputs == ("libs/near/setup.py", "poetry.lock", "pyproject.toml")


def test_what_pdm_can_lock(tmp_path: Path) -> None:
    lock = (
        '[[package]]\nname = "uvicorn"\nversion = "1"\nextras = ["standard"]\ngroups = ["default"]\n'
        '[[package]]\nname = "vcs"\ngit = "https://x/v.git"\nrevision = "abc"\ngroups = ["default"]\n'
        '[[package]]\nname = "near"\npath = "./near"\ngroups = ["default"]\n'
        '[[package]]\nname = "dev"\nversion = "1"\ngroups = ["dev"]\n'
    )
    files = {"app.py": FLASK, "pyproject.toml": PROJECT, "pdm.lock": lock, "near/pyproject.toml": ""}
    found = plan(tmp_path, files)
    assert "near/pyproject.toml" in found.steps[0].inputs
    assert found.steps[0].files["/tmp/requirements.txt"].splitlines() == [
        "uvicorn[standard]==1",
        "vcs @ git+https://x/v.git@abc",
        "near @ file:///app/near",
    ]


def test_a_pdm_lock_without_groups_says_how_to_lock(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="which packages are for development") as caught:
        plan(tmp_path, {"app.py": FLASK, "pyproject.toml": PROJECT, "pdm.lock": LOCKED})
    assert caught.value.hint == "Run: pdm lock -S inherit_metadata"


def test_what_pipenv_can_lock(tmp_path: Path) -> None:
    lock = """{"_meta": {"sources": [{"url": "https://pypi.org/simple"}, {"url": "https://pypi.corp/simple"},
        {"url": "https://$TOKEN@secret/simple"}]}, "default": {
        "a": {"version": "==1", "extras": ["x"], "markers": "os_name == 'nt'"},
        "b": {"git": "https://x/b.git", "ref": "abc"}, "c": {"path": "./c", "editable": true},
        "d": {"file": "https://x/d.whl"}}, "develop": {"e": {"version": "==1"}}}"""
    found = plan(tmp_path, {"app.py": FLASK, "Pipfile": "", "Pipfile.lock": lock, "c/setup.py": ""})
    assert found.steps[0].files["/tmp/requirements.txt"].splitlines() == [
        "--extra-index-url https://pypi.corp/simple",
        "a[x]==1 ; os_name == 'nt'",
        "b @ git+https://x/b.git@abc",
        "c @ file:///app/c",
        "d @ https://x/d.whl",
    ]
    assert "c/setup.py" in found.steps[0].inputs


@pytest.mark.parametrize("lock", ["{", "[]"])
def test_a_broken_pipfile_lock(tmp_path: Path, lock: str) -> None:
    with pytest.raises(BuildFailed, match=r"Pipfile\.lock is not") as caught:
        plan(tmp_path, {"app.py": FLASK, "Pipfile": "", "Pipfile.lock": lock})
    assert caught.value.hint == "Run: pipenv lock"


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        (
            {"requirements.txt": "", "pyproject.toml": PROJECT, "uv.lock": ""},
            r"Both requirements\.txt and uv\.lock",
            "git rm uv.lock",
        ),
        (
            {"pyproject.toml": PROJECT, "uv.lock": "", "poetry.lock": ""},
            r"Both uv\.lock and poetry\.lock",
            "git rm uv.lock",
        ),
        (
            {"requirements.txt": "", "pyproject.toml": PROJECT},
            r"Both requirements\.txt and pyproject\.toml",
            "remove [project]",
        ),
        ({"requirments.txt": ""}, r"requirments\.txt is not read", "git mv requirments.txt requirements.txt"),
        ({"Requirements.txt": ""}, r"Requirements\.txt is not read", "requirements.txt"),
        ({"uv.lock": ""}, r"uv\.lock is there, but pyproject\.toml is not", "git rm uv.lock"),
        ({"Pipfile": ""}, "Pipfile alone", "pipenv lock"),
        ({"pyproject.toml": "[tool.poetry]\n"}, r"no poetry\.lock", "poetry lock"),
        ({"pyproject.toml": "[tool.ruff]\n"}, "states no dependencies", "touch requirements.txt"),
        ({"setup.py": ""}, r"setup\.py alone", "pip freeze"),
        ({"app.py": FLASK}, "Nothing states the dependencies", "touch requirements.txt"),
    ],
)
def test_a_tree_that_says_too_much_or_too_little(
    tmp_path: Path, files: dict[str, str], message: str, hint: str
) -> None:
    with pytest.raises(BuildFailed, match=message) as caught:
        plan(tmp_path, files)
    assert hint in caught.value.hint


def test_pyproject_may_configure_tools_beside_requirements(tmp_path: Path) -> None:
    files = {"app.py": FLASK, "requirements.txt": "flask==3\n", "pyproject.toml": "[tool.ruff]\n"}
    assert plan(tmp_path, files).steps[0].inputs == ("requirements.txt",)


def test_included_requirements_and_local_packages_are_inputs(tmp_path: Path) -> None:
    files = {
        "app.py": FLASK,
        "requirements.txt": "-r base/all.txt\n-c limits.txt\n-e ./libs/shop[x]\n./tools # ours\n",
        "base/all.txt": "-r ../requirements.txt\nflask==3\ngunicorn==27.0.1\n",
        "limits.txt": "",
        "libs/shop/setup.py": "",
        "tools/pyproject.toml": "",
        "other/x.py": "",
    }
    found = plan(tmp_path, files).steps[0]
    assert found.inputs == (
        "base/all.txt",
        "libs/shop/setup.py",
        "limits.txt",
        "requirements.txt",
        "tools/pyproject.toml",
    )
    assert "gunicorn==" not in found.command


def test_packages_of_a_uv_workspace_are_inputs(tmp_path: Path) -> None:
    lock = LOCKED + '[[package]]\nname = "core"\nsource = {editable = "packages/core"}\n'
    lock += '[[package]]\nname = "unused"\nsource = {editable = "packages/unused"}\n'
    lock += '[[package]]\nname = "shop"\nsource = {virtual = "."}\ndependencies = [{name = "core"}]\n'
    files = {"app.py": FLASK, "pyproject.toml": PROJECT, "uv.lock": lock, "packages/core/pyproject.toml": ""}
    assert plan(tmp_path, files).steps[0].inputs == ("packages/core/pyproject.toml", "pyproject.toml", "uv.lock")


@pytest.mark.parametrize(
    ("files", "warnings"),
    [
        ({"requirements.txt": "flask==3\n"}, []),
        ({"requirements.txt": "flask>=3\n"}, ["flask in requirements.txt has no exact version"]),
        ({"requirements.txt": "flask\nx @ https://x/x.whl\ny~=1\n"}, ["flask, y in requirements.txt have no exact"]),
        ({"pyproject.toml": PROJECT}, ["pyproject.toml has no lock file beside it"]),
    ],
)
def test_what_may_differ_on_another_day_is_warned_of(
    tmp_path: Path, files: dict[str, str], warnings: list[str]
) -> None:
    found = plan(tmp_path, {"app.py": FLASK, **files}).warnings
    assert len(found) == len(warnings)
    assert all(text.startswith(expected) for text, expected in zip(found, warnings, strict=True))


# How to start

FACTORY = "def create_app(test=None):\n  from {} import {}\n  return {}('x')\n"
STARLETTE = "from starlette.applications import Starlette\ntry:\n  app = Starlette()\nfinally:\n  pass\n"
REQUIREMENTS = {"requirements.txt": "flask==3\ngunicorn==27.0.1\nuvicorn==0.54.0\n"}
FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"


@pytest.mark.parametrize(
    ("files", "start"),
    [
        ({"app.py": FLASK}, "gunicorn app:app "),
        ({"shop.py": "import flask\nweb: flask.Flask = flask.Flask(__name__)\n"}, "gunicorn shop:web "),
        ({"wsgi.py": "from shop import create_app\napplication = create_app()\n"}, "gunicorn wsgi:application "),
        ({"shop/__init__.py": FACTORY.format("flask", "Flask", "Flask")}, "gunicorn 'shop:create_app()' "),
        ({"src/shop/web.py": FLASK}, "gunicorn shop.web:app "),
        ({"main.py": FASTAPI}, "uvicorn main:app "),
        ({"api/main.py": FACTORY.format("fastapi", "FastAPI", "FastAPI")}, "uvicorn --factory api.main:create_app "),
        ({"main.py": STARLETTE}, "uvicorn main:app "),
        ({"app.py": FLASK, "tests/app.py": FASTAPI, "test_app.py": FASTAPI}, "gunicorn app:app "),
        ({"shop/app.py": FLASK, "main.py": FASTAPI}, "gunicorn shop.app:app "),
        ({"app.py": "def broken(:\n", "main.py": FLASK}, "gunicorn main:app "),
        ({"bot.py": "x = 1\n", "main.py": "if __name__ == \"__main__\":\n  pass\n"}, "python main.py "),
        ({"src/shop/__main__.py": "", "src/shop/cli.py": ""}, "python -m shop "),
        ({"app.py": "import falcon\napp = application = falcon.App()\n"}, "gunicorn app:app "),
        ({"app.py": "import falcon.asgi\napp = falcon.asgi.App()\n"}, "uvicorn app:app "),
        ({"app.py": "from aiohttp import web\napp = web.Application()\n"}, "gunicorn app:app "),
        ({"main.py": "from fasthtml.common import *\napp, rt = fast_app()\n"}, "uvicorn main:app "),
        ({"app.py": "from dash import Dash\ndash = Dash()\nserver = dash.server\n"}, "gunicorn app:server "),
        ({"pyproject.toml": "[tool.fastapi]\nentrypoint = 'backend:api'\n", "app.py": FLASK}, "uvicorn backend:api "),
    ],
)  # fmt: skip
def test_the_start_command(tmp_path: Path, files: dict[str, str], start: str) -> None:
    assert f"{plan(tmp_path, {**REQUIREMENTS, **files}).start} ".startswith(start)


def test_servers_listen_where_they_should(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    wsgi = plan(tmp_path / "a", {**REQUIREMENTS, "app.py": FLASK})
    assert "--bind 0.0.0.0:$PORT --workers ${WEB_CONCURRENCY:-2}" in wsgi.start
    assert "--worker-tmp-dir /dev/shm" in wsgi.start
    assert "--access-logfile - " in wsgi.start
    asgi = plan(tmp_path / "b", {**REQUIREMENTS, "main.py": FASTAPI})
    assert "--host 0.0.0.0 --port $PORT" in asgi.start
    assert wsgi.env["PORT"] == "8080"
    assert because(wsgi, "start") == "Flask, app in app.py"


def test_what_is_said_decides_the_start(tmp_path: Path) -> None:
    found = plan(tmp_path, {**REQUIREMENTS, "app.py": FLASK}, start="python app.py")
    assert found.start == "python app.py"
    assert because(found, "start") == "from nucleo.yml"


def test_aiohttp_has_a_worker_of_its_own(tmp_path: Path) -> None:
    found = plan(tmp_path, {**REQUIREMENTS, "app.py": "from aiohttp import web\napp = web.Application()\n"})
    assert found.start.endswith("--worker-class aiohttp.GunicornWebWorker")
    assert because(found, "start") == "aiohttp, app in app.py"


@pytest.mark.parametrize(
    ("package", "files", "start"),
    [
        (
            "streamlit",
            {"pages/1.py": "import streamlit", "home.py": "import streamlit as st"},
            "streamlit run home.py ",
        ),
        (
            "streamlit",
            {"app.py": "import streamlit", "streamlit_app.py": "import streamlit"},
            "streamlit run streamlit_a",
        ),
        ("gradio", {"demo.py": "import gradio\ngradio.Interface(print).launch()\n"}, "env GRADIO_SERVER_NAME=0.0.0.0 "),
    ],
)
def test_pages(tmp_path: Path, package: str, files: dict[str, str], start: str) -> None:
    found = plan(tmp_path, {"requirements.txt": f"{package}==1\n", **files})
    assert found.start.startswith(start)
    assert "$PORT" in found.start


def test_a_dash_app_without_its_server(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"app\.py makes a Dash app") as caught:
        plan(tmp_path, {"requirements.txt": "dash==3\n", "app.py": "from dash import Dash\napp = Dash()\n"})
    assert caught.value.hint == "Add the line: server = app.server"


@pytest.mark.parametrize(
    ("start", "added"),
    [
        ("gunicorn shop:app", f"gunicorn=={GUNICORN}"),
        ("uvicorn shop:app", f"uvicorn=={UVICORN}"),
        ("python it's", None),
    ],
)
def test_a_missing_server_is_added(tmp_path: Path, start: str, added: str | None) -> None:
    found = plan(tmp_path, {"requirements.txt": "flask==3\n"}, start=start)
    assert [reason.choice for reason in found.reasons if "added" in reason.choice] == (
        [f"{added} added"] if added else []
    )
    assert added is None or added in found.steps[0].command


def test_no_application(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="No Flask, Django or FastAPI application") as caught:
        plan(tmp_path, {**REQUIREMENTS, "lib.py": "x = 1\n", "needs.py": "def create_app(config):\n  pass\n"})
    assert "cmd: {start:" in caught.value.hint


def test_two_applications(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"Both billing\.py and shop\.py define an application") as caught:
        plan(tmp_path, {**REQUIREMENTS, "shop.py": FLASK, "billing.py": FLASK})
    assert "gunicorn billing:app" in caught.value.hint


@pytest.mark.parametrize(
    ("files", "left_out"),
    [({"venv/pyvenv.cfg": "", "venv/lib/x.py": FLASK}, "/venv/"), ({}, "/.venv/"), ({}, "__pycache__/")],
)
def test_what_is_of_no_use_in_the_image(tmp_path: Path, files: dict[str, str], left_out: str) -> None:
    found = plan(tmp_path, {**REQUIREMENTS, "app.py": FLASK, **files})
    assert left_out in found.leave_out
    assert found.start.startswith("gunicorn app:app ")
    assert len(found.warnings) == len(files) // 2


# The app as a package, and in a workspace

PACKAGE = PROJECT + '[project.scripts]\nserve = "shop.cli:main"\n[build-system]\nrequires = ["hatchling"]\n'


def test_the_commands_of_a_package_are_there(tmp_path: Path) -> None:
    files = {"pyproject.toml": PACKAGE, "uv.lock": LOCKED, "src/shop/cli.py": "", "src/shop/app.py": FLASK}
    found = plan(tmp_path, files)
    assert because(found, "commands serve") == "from pyproject.toml"
    own = found.steps[0].files
    site = "/tmp/own/lib/python3.13/site-packages"
    assert "from shop.cli import main\nsys.exit(main())\n" in own["/tmp/own/bin/serve"]
    assert own[f"{site}/shop-1.dist-info/METADATA"] == "Metadata-Version: 2.1\nName: shop\nVersion: 1\n"
    assert own[f"{site}/shop-1.dist-info/entry_points.txt"] == "[console_scripts]\nserve = shop.cli:main\n"
    assert own[f"{site}/shop.pth"] == "/app/src\n/app\n"
    assert "src/shop/cli.py" not in found.steps[0].inputs


@pytest.mark.parametrize(
    "pyproject",
    [
        PROJECT,
        PACKAGE + "[tool.uv]\npackage = false\n",
        PACKAGE + "[tool.poetry]\npackage-mode = false\n",
    ],
)
def test_what_is_no_package_has_none(tmp_path: Path, pyproject: str) -> None:
    found = plan(tmp_path, {"pyproject.toml": pyproject, "uv.lock": LOCKED, "app.py": FLASK})
    assert list(found.steps[0].files) == ["/tmp/verify.py"]


WORKSPACE = {
    "pyproject.toml": '[tool.uv.workspace]\nmembers = ["services/*", "libs/core"]\nexclude = ["services/old"]\n',
    "uv.lock": LOCKED
    + '[[package]]\nname = "api"\nsource = {virtual = "services/api"}\ndependencies = [{name = "core"}]\n'
    '[[package]]\nname = "core"\nsource = {editable = "libs/core"}\n'
    '[[package]]\nname = "other"\nsource = {virtual = "services/other"}\n',
    ".python-version": "3.11\n",
    "libs/core/core.py": "",
    "services/api/pyproject.toml": PROJECT.replace("shop", "api"),
    "services/api/app.py": FLASK,
    "services/api/src/more.py": "",
    "services/other/app.py": FLASK,
}


def test_an_app_of_a_uv_workspace(tmp_path: Path) -> None:
    found = plan(tmp_path, WORKSPACE, folder="services/api")
    assert because(found, "uv") == "from ../../uv.lock"
    assert because(found, "python 3.11") == "from ../../.python-version"
    assert found.steps[0].inputs == (
        "../../libs/core/core.py",
        "../../pyproject.toml",
        "../../uv.lock",
        "pyproject.toml",
    )
    assert found.steps[0].output == "/app/.venv"
    assert found.env["PYTHONPATH"] == "/app/services/api/src"
    assert found.start.startswith("gunicorn app:app ")


def test_what_is_no_member_of_the_workspace_has_its_own_files(tmp_path: Path) -> None:
    files = {**WORKSPACE, "services/old/pyproject.toml": PROJECT, "services/old/app.py": FLASK}
    assert plan(tmp_path, files, folder="services/old").steps[0].inputs == ("pyproject.toml",)


def test_packages_above_the_app_are_inputs_where_the_tree_has_them(tmp_path: Path) -> None:
    package = 'name = "core"\nversion = "1"\ngroups = ["main"]\n[package.source]\ntype = "directory"\nurl = "../core"\n'
    lock = f'[[package]]\n{package}[metadata]\nlock-version = "2.1"\n'
    files = {"api/pyproject.toml": PROJECT, "api/poetry.lock": lock, "api/app.py": FLASK, "core/core.py": ""}
    step = plan(tmp_path, files, folder="api").steps[0]
    assert "../core/core.py" in step.inputs
    assert step.files["/tmp/requirements.txt"] == "core @ file:///app/core\n"
    with pytest.raises(BuildFailed, match=r"names the package in \.\./core, which is not in the tree") as caught:
        platforms.planner("python")(read_source(tmp_path / "api"), PYTHON, None, None)
    assert "build: {root: ..}" in caught.value.hint


def test_a_src_layout_is_on_the_path(tmp_path: Path) -> None:
    assert plan(tmp_path, {**REQUIREMENTS, "src/shop/app.py": FLASK}).env["PYTHONPATH"] == "/app/src"


# Django

MANAGE = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'
SETTINGS = (
    "from pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\n"
    'INSTALLED_APPS = ["django.contrib.staticfiles"]\n'
)


def django(root: Path, settings: str, **files: str) -> Plan:
    wanted = {"manage.py": MANAGE, "requirements.txt": "django==5\n", "shop/settings.py": SETTINGS + settings}
    return plan(root, {**wanted, **files})


@pytest.mark.parametrize(
    ("settings", "requirements", "start"),
    [
        ("", "", "gunicorn shop.wsgi:application "),
        ('WSGI_APPLICATION = "web.wsgi.app"\n', "", "gunicorn web.wsgi:app "),
        ('ASGI_APPLICATION = "shop.asgi.application"\n', "", "uvicorn shop.asgi:application "),
        ('WSGI_APPLICATION = "a.b.c"\nASGI_APPLICATION = "d.e.f"\n', "django==5\n", "gunicorn a.b:c "),
        ('WSGI_APPLICATION = "a.b.c"\nASGI_APPLICATION = "d.e.f"\n', "django==5\nchannels==4\n", "uvicorn d.e:f "),
    ],
)
def test_django_starts_what_its_settings_name(tmp_path: Path, settings: str, requirements: str, start: str) -> None:
    found = django(tmp_path, settings, **({"requirements.txt": requirements} if requirements else {}))
    assert found.start.startswith(start)
    assert because(found, "start") == "Django, manage.py"
    assert "migrate" not in found.start


@pytest.mark.parametrize(
    ("root", "folder"),
    [
        ('BASE_DIR / "static"', "/app/static"),
        ('BASE_DIR / "var" / "static"', "/app/var/static"),
        ('os.path.join(BASE_DIR, "static")', "/app/static"),
        ('str(BASE_DIR / "static")', "/app/static"),
        ('"/app/static"', "/app/static"),
    ],
)
def test_static_files_are_collected(tmp_path: Path, root: str, folder: str) -> None:
    found = django(tmp_path, f"STATIC_ROOT = {root}\n")
    step = found.steps[1]
    assert step.output == folder
    assert "manage.py collectstatic --noinput" in step.command
    assert "SECRET_KEY=" in step.command
    assert "shop/settings.py" in step.inputs


@pytest.mark.parametrize(
    "root",
    ['config("ROOT")', 'BASE_DIR / ".." / "x"', "BASE_DIR", 'PROJECT / "static"', 'BASE_DIR.parent / "static"'],
)
def test_a_folder_that_is_computed_is_what_collecting_wrote(tmp_path: Path, root: str) -> None:
    step = django(tmp_path, f"STATIC_ROOT = {root}\n").steps[1]
    assert (step.output, step.changed_only) == ("/app", True)


def test_a_base_that_is_not_the_folder_of_manage_py(tmp_path: Path) -> None:
    step = django(tmp_path, 'BASE_DIR = Path(__file__).parent\nSTATIC_ROOT = BASE_DIR / "static"\n').steps[1]
    assert (step.output, step.changed_only) == ("/app", True)


def test_a_folder_outside_of_the_app_is_warned_of(tmp_path: Path) -> None:
    found = django(tmp_path, 'STATIC_ROOT = "/srv/static"\n')
    assert len(found.steps) == 1
    assert found.warnings[0].startswith("STATIC_ROOT in the settings")


def test_files_that_were_collected_and_committed_are_neither_kept_nor_shipped(tmp_path: Path) -> None:
    found = django(tmp_path, 'STATIC_ROOT = BASE_DIR / "static"\n', **{"static/old.css": "", ".venv/x.py": ""})
    assert "static/old.css" not in found.steps[1].inputs
    assert ".venv/x.py" not in found.steps[1].inputs
    assert "/static/" in found.leave_out


def test_a_project_in_a_folder(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "django==5\n",
        "web/manage.py": MANAGE,
        "web/shop/settings.py": SETTINGS + 'STATIC_ROOT = BASE_DIR / "static"\n',
    }
    found = plan(tmp_path, files)
    assert found.start.startswith("gunicorn --chdir web shop.wsgi:application ")
    assert found.steps[1].command.startswith("cd web && ")
    assert found.steps[1].output == "/app/web/static"
    assert found.steps[1].after == ("dependencies",)


def test_settings_that_only_the_server_names(tmp_path: Path) -> None:
    files = {"manage.py": "import config\n", "shop/wsgi.py": MANAGE, "requirements.txt": "django==5\n"}
    assert plan(tmp_path, files).start.startswith("gunicorn shop.wsgi:application ")


@pytest.mark.parametrize("settings", ["", "STATIC_ROOT = None\n"])
def test_without_static_root_nothing_is_collected(tmp_path: Path, settings: str) -> None:
    assert len(django(tmp_path, settings).steps) == 1


def test_without_the_staticfiles_app_nothing_is_collected(tmp_path: Path) -> None:
    found = django(tmp_path, "", **{"shop/settings.py": 'STATIC_ROOT = BASE_DIR / "static"\n'})
    assert len(found.steps) == 1


def test_settings_may_be_a_package_with_a_base(tmp_path: Path) -> None:
    files = {
        "shop/settings/base.py": SETTINGS.replace("parent.parent", "parents[2]")
        + 'WSGI_APPLICATION = "shop.base.app"\nSTATIC_ROOT = BASE_DIR / "static"\n',
        "shop/settings/production.py": 'from .base import *\nWSGI_APPLICATION = "shop.production.app"\n',
        "manage.py": MANAGE.replace("shop.settings", "shop.settings.production"),
        "requirements.txt": "django==5\n",
    }
    found = plan(tmp_path, files)
    assert found.start.startswith("gunicorn shop.production:app ")
    assert found.steps[1].output == "/app/static"


def test_the_example() -> None:
    example = Path(platforms.__file__).parents[2] / "platforms" / "python" / "example"
    found = platforms.planner("python")(read_source(example), PYTHON, None, None)
    assert found.version == PYTHON.default
    assert found.start.startswith("gunicorn app:app ")
    assert found.warnings == ()


# What runs in the build container

FOLDER = Path(platforms.__file__).parents[2] / "platforms" / "python"


def test_what_was_installed_is_verified(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3.13" / "site-packages"
    (site / "x-1.dist-info").mkdir(parents=True)
    (site / "x.py").write_text("x = 1\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"x = 1\n").digest()).rstrip(b"=").decode()
    (site / "x-1.dist-info" / "RECORD").write_text(f'x.py,sha256={digest},6\nx.pyc,sha256=old,1\n"x-1,d/RECORD",,\n')
    verify = [sys.executable, "-I", str(FOLDER / "verify.py"), str(tmp_path), str(tmp_path / "cache")]
    assert subprocess.run(verify, check=False).returncode == 0
    (site / "x.py").write_text("x = 2\n")
    done = subprocess.run(verify, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "the package cache is damaged: x.py\n")
    assert re.search(PYTHON.cache_damage, done.stderr)
    (site / "x.py").unlink()
    assert subprocess.run(verify, check=False, capture_output=True).returncode == 1
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "CACHEDIR.TAG").touch()
    assert subprocess.run(verify, check=False).returncode == 0, "a new cache cannot have come to harm"


def test_lists_of_static_files_are_sorted(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    listed = tmp_path / "static" / "staticfiles.json"
    listed.write_text('{"paths": {"b": "b.1", "a": "a.1"}}')
    subprocess.run([sys.executable, str(FOLDER / "sort_manifests.py"), str(tmp_path)], check=True)
    assert listed.read_text() == '{"paths": {"a": "a.1", "b": "b.1"}}'


def test_an_environment_that_is_no_list_of_files_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "staticfiles.json").write_text("[]")
    subprocess.run([sys.executable, str(FOLDER / "sort_manifests.py"), str(tmp_path)], check=True)
    assert (tmp_path / "staticfiles.json").read_text() == "[]"
