"""Bad files are told with their place, before anything on the network is touched."""

from pathlib import Path

import pytest

from tests.e2e import sample
from tests.e2e.sample import Sample
from tests.installed import Nucleo

GOOD = 'name: shop\nplatform: python\nports: ["8080:80"]\n'
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

BAD_FILES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "nucleo.yml"),
    "only a comment": ("# nothing\n", "nucleo.yml"),
    "a list": ("- platform: python\n", "nucleo.yml:1:1"),
    "malformed": ("platform: [python\n", "nucleo.yml:"),
    "a duplicate key": (GOOD + "platform: node\n", "nucleo.yml:4:1"),
    "an unknown key": (GOOD + "portz: 80\n", "ports"),
    "deeply nested": ("a: " + "[" * 3000 + "]" * 3000, "nucleo.yml:1:"),
    "not UTF-8": (b"platform: python\nname: caf\xe9\n", "UTF-8"),
    "exploding aliases": (BOMB, "nucleo.yml:"),
    "a recursive alias": ("platform: python\nenv: &e {A: *e}\n", "nucleo.yml:2:"),
    "a huge number": (GOOD + "scale: {replicas: " + "9" * 5000 + "}\n", "nucleo.yml:4:"),
    "a control character": (GOOD + "env: {A: \x1b[2J}\n", "nucleo.yml:4:"),
    "a tag that makes objects": (GOOD + "env: !!python/object/apply:os.system [id]\n", "nucleo.yml:4:"),
    "two documents": (GOOD + "---\n" + GOOD, "nucleo.yml:"),
    "a port out of range": ('platform: python\nports: ["70000:80"]\n', "nucleo.yml:2:"),
    "a port taken twice": ('platform: python\nports: ["8080:80", "8081:80"]\n', "nucleo.yml:2:"),
    "a script that does not exist": (GOOD + "cmd: {start: nucleo/start.sh}\n", "nucleo.yml:4:"),
    "a script outside of the repository": (GOOD + "cmd: {start: ../../start.sh}\n", "nucleo.yml:4:"),
    "a script at an absolute path out of it": (GOOD + "cmd: {pre_stop: ../up.sh}\n", "nucleo.yml:4:"),
    "two megabytes": (GOOD + "# " + "x" * 2_000_000, "nucleo.yml"),
}


@pytest.fixture
def offline(nucleo: Nucleo) -> Nucleo:
    """The program with no cluster, no engine and no way to reach one."""
    nowhere = {"KUBECONFIG": "/dev/null/none", "DOCKER_HOST": "tcp://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"}
    return Nucleo({**nucleo.env, **nowhere}, nucleo.program, nucleo.runs)


@pytest.fixture
def app(offline: Nucleo, tmp_path: Path) -> Sample:
    return sample.make(tmp_path / "shop", offline, "shop")


@pytest.mark.parametrize("command", ["validate", "deploy"])
@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_nucleo_yml_is_exit_3_with_its_place(app: Sample, case: str, command: str) -> None:
    content, told = BAD_FILES[case]
    app.write("nucleo.yml", content)
    result = app(command).expect(3)
    assert told in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stdout + result.stderr


def test_with_json_each_problem_has_file_line_and_column(app: Sample) -> None:
    app.write("nucleo.yml", 'platform: python\nports: ["0:80", "99999:81"]\nportz: 1\nscale: {replicas: many}\n')
    document = app("deploy", "--json").expect(3).json
    assert document["code"] == "config-invalid"
    problems = document["details"]["problems"]
    assert app("validate", "--json").expect(3).json == {"valid": False, "problems": problems}
    assert len(problems) >= 4
    assert {problem["line"] for problem in problems} == {2, 3, 4}
    assert all(problem["column"] >= 1 for problem in problems)


def test_a_missing_nucleo_yml_names_init(offline: Nucleo, tmp_path: Path) -> None:
    for command in ("validate", "deploy"):
        result = offline(command, "-C", str(tmp_path)).expect(3)
        assert "nucleo init" in result.stderr


def test_a_missing_folder_is_told(offline: Nucleo, tmp_path: Path) -> None:
    result = offline("deploy", "-C", str(tmp_path / "nowhere"), "--json")
    assert result.code in (2, 3, 6)
    assert "does not exist" in result.json["error"]


def test_a_script_that_is_not_executable_says_what_to_type(app: Sample) -> None:
    app.configure("cmd: {start: nucleo/start.sh}")
    app.write("nucleo/start.sh", "#!/bin/sh\nexec python app.py\n", 0o644)
    result = app("deploy", "--json").expect(3)
    assert "chmod +x" in str(result.json)


def test_a_script_that_is_a_link_out_of_the_repository_is_refused(app: Sample, tmp_path: Path) -> None:
    outside = tmp_path / "outside.sh"
    outside.write_text("#!/bin/sh\n")
    outside.chmod(0o755)
    app.configure("cmd: {start: nucleo/start.sh}")
    (app.directory / "nucleo").mkdir()
    (app.directory / "nucleo" / "start.sh").symlink_to(outside)
    app("deploy", "--json").expect(3)


def test_a_good_file_passes_and_its_plan_needs_no_cluster(app: Sample) -> None:
    app("validate").expect(0)
    document = app("validate", "--json").expect(0).json
    assert isinstance(document, dict)
    schema = app("validate", "--schema").expect(0).json
    assert "platform" in schema["properties"]


def test_init_writes_what_validate_takes(offline: Nucleo, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("flask==3.1.3\n")
    (tmp_path / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    offline("init", "-C", str(tmp_path), "--no-input").expect(0)
    assert "platform: python" in (tmp_path / "nucleo.yml").read_text()
    offline("validate", "-C", str(tmp_path)).expect(0)
