# ruff: noqa: E501, PT017 (one case a line; an error is one of two good ends)
"""From nucleo.yml to an App: every key, every rule, overlays, and every problem at once."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nucleo_cli import config
from nucleo_cli.config import loading
from nucleo_cli.config.values import platforms
from nucleo_cli.domain.app import App, Health, Port, Process, Resources, Scale
from nucleo_cli.errors import ConfigInvalid, Exit, NucleoError, UsageError

from .conftest import Problems, Write

KNOWN = ", ".join(platforms())

FULL = """\
name: shop
platform: python:3.13
ports: ["8080:80", 9090]
scale: {replicas: 2-20, cpu_threshold: 50, memory_threshold: 80}
resources: {cpu: 250m-1, memory: 256Mi-512Mi}
kernel: {net.core.somaxconn: 1024, net.ipv4.ip_local_port_range: 1024 65535}
health: {path: /healthz, timeout: 500ms}
env: {LOG_LEVEL: info, VERSION: 1.10, COUNTRY: no, DEBUG: True, HEX: 0x1F, EMPTY: "", SINCE: 2026-11-23}
cmd: {start: gunicorn shop:app, pre-stop: /bin/sleep 5}
environments:
  production:
    cluster: prod-tokyo
    namespace: shop
    scale: {replicas: 4-40}
    env: {LOG_LEVEL: warning}
    ports: ["8080:443"]
  staging:
    scale: 1
    cmd: {start: flask run}
    resources: {cpu: 100m}
  test:
"""


def web(app: App) -> Process:
    (process,) = app.processes
    return process


def test_the_smallest_file(write: Write, repository: Path) -> None:
    app = config.load(write("platform: python"))
    assert app == App(
        name="shop",
        directory=repository,
        platform="python",
        namespace="shop",
        processes=(Process("web", ports=(Port(8080, 80),)),),
    )
    assert web(app).health == Health(path=None, timeout=2.0)


def test_every_key(write: Write, repository: Path) -> None:
    assert config.load(write(FULL)) == App(
        name="shop",
        directory=repository,
        platform="python",
        platform_version="3.13",
        namespace="shop",
        processes=(
            Process(
                name="web",
                start="gunicorn shop:app",
                pre_stop="/bin/sleep 5",
                ports=(Port(8080, 80), Port(9090)),
                scale=Scale(2, 20, 50, 80),
                resources=Resources("250m", "1", "256Mi", "512Mi"),
                health=Health("/healthz", 0.5),
            ),
        ),
        kernel={"net.core.somaxconn": "1024", "net.ipv4.ip_local_port_range": "1024 65535"},
        env={
            "LOG_LEVEL": "info",
            "VERSION": "1.10",
            "COUNTRY": "no",
            "DEBUG": "True",
            "HEX": "0x1F",
            "EMPTY": "",
            "SINCE": "2026-11-23",
        },
    )


def test_an_environment_merges_mappings_and_replaces_the_rest(write: Write) -> None:
    production = config.load(write(FULL), "production")
    assert (production.environment, production.cluster, production.namespace) == ("production", "prod-tokyo", "shop")
    assert web(production).scale == Scale(4, 40, 50, 80)
    assert web(production).ports == (Port(8080, 443),)
    assert web(production).start == "gunicorn shop:app"
    assert production.env["LOG_LEVEL"] == "warning"
    assert production.env["COUNTRY"] == "no"


def test_an_environment_may_fix_the_scale_below_thresholds(write: Write) -> None:
    staging = config.load(write(FULL), "staging")
    assert web(staging).scale == Scale(1, 1)
    assert web(staging).start == "flask run"
    assert web(staging).pre_stop == "/bin/sleep 5"
    assert web(staging).resources == Resources("100m", "100m", "256Mi", "512Mi")
    assert staging.namespace == "shop-staging"


def test_an_empty_environment(write: Write) -> None:
    assert config.load(write(FULL), "test").namespace == "shop-test"
    assert config.environments(write(FULL)) == ["production", "staging", "test"]


def test_an_unknown_environment_lists_the_known_ones(write: Write) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        config.load(write(FULL), "prodution")
    assert caught.value.message == 'nucleo.yml has no environment "prodution"; did you mean "production"?'
    assert caught.value.hint == "the environments are production, staging, test"


def test_an_environment_where_there_are_none(write: Write) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        config.load(write("platform: python"), "x")
    assert caught.value.hint == "write environments: {x: {}}"


@pytest.mark.parametrize("empty", ["env", "kernel", "cmd", "resources", "health", "scale", "environments"])
def test_a_mapping_with_everything_commented_out_is_empty(write: Write, empty: str) -> None:
    app = config.load(write(f"platform: python\n{empty}:\n  # a: b\n"))
    assert app.processes == (Process("web", ports=(Port(8080, 80),)),)


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("3", Scale(3, 3)), ("0", Scale(0, 0)), ('"3"', Scale(3, 3)), ("2-2", Scale(2, 2)),
        ("2-20", Scale(2, 20, 80)), ("2 - 20", Scale(2, 20, 80)),
        ("{replicas: 3}", Scale(3, 3)),
        ("{replicas: 1-5, memory-threshold: 70}", Scale(1, 5, None, 70)),
        ("{replicas: 1-5, cpu threshold: 1}", Scale(1, 5, 1, None)),
    ],
)  # fmt: skip
def test_scale(write: Write, text: str, scale: Scale) -> None:
    assert web(config.load(write(f"platform: python\nscale: {text}"))).scale == scale


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("[]", ()),
        ("[8080:80]", (Port(8080, 80),)),
        ("[22:22]", (Port(22, 22),)),
        ("[8080]", (Port(8080),)),
        ('["8080"]', (Port(8080),)),
        ("[1:65535, 65535:1]", (Port(1, 65535), Port(65535, 1))),
    ],
)
def test_ports(write: Write, text: str, ports: tuple[Port, ...]) -> None:
    assert web(config.load(write(f"platform: python\nports: {text}"))).ports == ports


@pytest.mark.parametrize(
    ("text", "seconds"), [("2s", 2.0), ("500ms", 0.5), ("3", 3.0), ("1.5", 1.5), ("1.5s", 1.5), ("2m", 120.0)]
)
def test_timeout(write: Write, text: str, seconds: float) -> None:
    assert web(config.load(write(f"platform: python\nhealth: {{timeout: {text}}}"))).health.timeout == seconds


@pytest.mark.parametrize(
    ("cpu", "memory", "resources"),
    [
        ("1", "1Gi", Resources("1", "1", "1Gi", "1Gi")),
        ("0.5", "128M-1e9", Resources("0.5", "0.5", "128M", "1e9")),
        ("100m - 2", "134217728", Resources("100m", "2", "134217728", "134217728")),
        ("1-1", "1Gi-1024Mi", Resources("1", "1", "1Gi", "1024Mi")),
    ],
)
def test_resources(write: Write, cpu: str, memory: str, resources: Resources) -> None:
    app = config.load(write(f"platform: python\nresources: {{cpu: {cpu}, memory: {memory}}}"))
    assert web(app).resources == resources


NAME_RULE = (
    'a name of at most 40 lower-case letters, digits and "-", beginning with a letter and ending with a letter or digit '
    "(it becomes part of Helm's and Kubernetes' names)"
)
CPU_RULE = 'cores as REQUEST-LIMIT or one value for both, such as "250m-1"'
MEMORY_RULE = 'memory as REQUEST-LIMIT or one value for both, such as "256Mi-512Mi"'
REPLICAS_RULE = 'a whole number of 0 or more, or a range such as "2-20"'
TIME_RULE = 'a time of at most 300 seconds such as "2s" or "500ms"'
PORT_RULE = 'INTERNAL:EXTERNAL or INTERNAL, such as "8080:80"'


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("name: Shop_1", f'2:1: name must be {NAME_RULE}, got "Shop_1"'),
        ("name: 404", f"2:1: name must be {NAME_RULE}, got 404"),
        ("name: 1shop", f'2:1: name must be {NAME_RULE}, got "1shop"'),
        ("name: shop-", f'2:1: name must be {NAME_RULE}, got "shop-"'),
        ("name: " + "a" * 41, f'2:1: name must be {NAME_RULE}, got "{"a" * 41}"'),
        ('name: "shop\\n"', f'2:1: name must be {NAME_RULE}, got "shop\\n"'),
        ("name:", f"2:1: name must be {NAME_RULE}, got nothing"),
        ("nmae: shop", '2:1: nmae is not a key here; did you mean "name"?'),
        ("processes: {}", "2:1: processes is not a key here"),
        ('"": x', '2:1: "" is not a key here'),
        ('"a\\nb": x', '2:1: "a\\nb" is not a key here'),
        ("cluster: prod", "2:1: cluster belongs to an environment"),
        ("namespace: prod", "2:1: namespace belongs to an environment"),
        ("ports: 8080:80", '2:1: ports must be a list such as ["8080:80"], got "8080:80"'),
        ("ports:", '2:1: ports must be a list such as ["8080:80"], got nothing'),
        ("ports: [eighty]", f'2:9: ports[0] must be {PORT_RULE}, got "eighty"'),
        ("ports: [8080: 80]", f"2:9: ports[0] must be {PORT_RULE}, got a mapping"),
        ("ports: [1:2:3]", f'2:9: ports[0] must be {PORT_RULE}, got "1:2:3"'),
        ("ports: ['8080:']", f'2:9: ports[0] must be {PORT_RULE}, got "8080:"'),
        ("ports: [-1]", f"2:9: ports[0] must be {PORT_RULE}, got -1"),
        ("ports: [8080.5]", f"2:9: ports[0] must be {PORT_RULE}, got 8080.5"),
        ("ports: [٨٠]", f'2:9: ports[0] must be {PORT_RULE}, got "٨٠"'),
        ("ports: [0]", "2:9: ports[0] must be a port from 1 to 65535, got 0"),
        ("ports: [80:65536]", "2:9: ports[0] must be a port from 1 to 65535, got 65536"),
        ("ports: [1:80, 1:81]", "2:15: ports[1] takes the internal port 1 a second time"),
        ("ports: [1:80, 2:80]", "2:15: ports[1] takes the external port 80 a second time"),
        ("ports: [1, 1]", "2:12: ports[1] takes the internal port 1 a second time"),
        ("scale: many", f'2:1: scale must be {REPLICAS_RULE}, got "many"'),
        ("scale: -1", f"2:1: scale must be {REPLICAS_RULE}, got -1"),
        ("scale: 1.5", '2:1: scale must be a whole number of 0 or more, or a range such as "2-20", got 1.5'),
        ("scale: true", f"2:1: scale must be {REPLICAS_RULE}, got true"),
        ("scale: [1]", '2:1: scale must be a number, a range such as "2-20", or a mapping, got a list'),
        ("scale: 20-2", '2:1: scale must not begin higher than it ends, got "20-2"'),
        ("scale: 0-2", "2:1: scale must be at least 1 in a range, got 0"),
        ("scale: 10001", "2:1: scale must be at most 10000, got 10001"),
        ("scale: " + "9" * 5000, f"2:1: scale must be {REPLICAS_RULE}, got a number of 5000 digits"),
        ("scale: {replicas: 1-2, cpu_threshold: 0}", "2:24: scale.cpu_threshold must be a whole number from 1 to 100, got 0"),
        ("scale: {replicas: 1-2, cpu_threshold: 101}", "2:24: scale.cpu_threshold must be a whole number from 1 to 100, got 101"),
        ("scale: {replicas: 1-2, cpu_threshold: 5%}", '2:24: scale.cpu_threshold must be a whole number from 1 to 100, got "5%"'),
        ("scale: {replicas: 3, cpu_threshold: 50}", "2:22: scale.cpu_threshold needs a range of replicas, got a fixed 3"),
        ("scale: {memory-threshold: 50}", "2:9: scale.memory-threshold needs a range of replicas, got a fixed 1"),
        ("scale: {cpu-threshold: 5, cpu_threshold: 5, replicas: 1-2}", '2:27: scale.cpu_threshold is the same key as "cpu-threshold" at 2:9'),
        ("resources: 1", "2:1: resources must be a mapping with cpu and memory, got 1"),
        ("resources: {gpu: 1}", '2:13: resources.gpu is not a key here; did you mean "cpu"?'),
        ("resources: {cpu: lots}", f'2:13: resources.cpu must be {CPU_RULE}, got "lots"'),
        ("resources: {cpu: 2-1}", '2:13: resources.cpu must not request more than its limit, got "2-1"'),
        ("resources: {cpu: 0}", f"2:13: resources.cpu must be {CPU_RULE}, got 0"),
        ("resources: {cpu: 0.0001}", f"2:13: resources.cpu must be {CPU_RULE}, got 0.0001"),
        ("resources: {cpu: 1-}", f'2:13: resources.cpu must be {CPU_RULE}, got "1-"'),
        ("resources: {cpu: -1}", f"2:13: resources.cpu must be {CPU_RULE}, got -1"),
        ("resources: {cpu: 1Gi}", f'2:13: resources.cpu must be {CPU_RULE}, got "1Gi"'),
        ("resources: {memory: 256MB}", f'2:13: resources.memory must be {MEMORY_RULE}, got "256MB"'),
        ("resources: {memory: 512}", '2:13: resources.memory must be at least 1Mi, got "512", which is that many bytes'),
        ("resources: {memory: 1Gi-512Mi}", '2:13: resources.memory must not request more than its limit, got "1Gi-512Mi"'),
        ("resources: {memory: true}", f"2:13: resources.memory must be {MEMORY_RULE}, got true"),
        ("kernel: {somaxconn: 1}", "2:10: kernel.somaxconn must be named by a sysctl such as net.core.somaxconn"),
        ("kernel: {net.core.: 1}", "2:10: kernel.net.core. must be named by a sysctl such as net.core.somaxconn"),
        ("kernel: {net: 1}", "2:10: kernel.net must be named by a sysctl such as net.core.somaxconn"),
        ("kernel: {net.core.somaxconn: [1]}", "2:10: kernel.net.core.somaxconn must be text or a number, got a list"),
        ("kernel: {net.core.somaxconn: true}", "2:10: kernel.net.core.somaxconn must be text or a number, got true"),
        ('kernel: {net.core.somaxconn: "1\\n2"}', '2:10: kernel.net.core.somaxconn must be text or a number, got "1\\n2"'),
        ("kernel: [a]", "2:1: kernel must be a mapping of sysctls to values, got a list"),
        ("health: {path: healthz}", '2:10: health.path must be an HTTP path that begins with "/", got "healthz"'),
        ("health: {path: /a b}", '2:10: health.path must be an HTTP path that begins with "/", got "/a b"'),
        ("health: {timeout: 0s}", f'2:10: health.timeout must be {TIME_RULE}, got "0s"'),
        ("health: {timeout: 301}", f"2:10: health.timeout must be {TIME_RULE}, got 301"),
        ("health: {timeout: .inf}", f"2:10: health.timeout must be {TIME_RULE}, got .inf"),
        ("health: {timeout: soon}", f'2:10: health.timeout must be {TIME_RULE}, got "soon"'),
        ("env: [A=b]", "2:1: env must be a mapping of names to values, got a list"),
        ("env: {A: }", "2:7: env.A must be text, a number or a boolean, got nothing"),
        ("env: {A: [b]}", "2:7: env.A must be text, a number or a boolean, got a list"),
        ("env: {9A: b}", '2:7: env.9A must be named by letters, digits and "_", not beginning with a digit'),
        ("env: {A-B: b}", '2:7: env.A-B must be named by letters, digits and "_", not beginning with a digit'),
        ("env: {PORT: 1}", "2:7: env.PORT is set by Nucleo, to the first internal port of `ports`"),
        ("cmd: gunicorn", '2:1: cmd must be a mapping with start and pre_stop, got "gunicorn"'),
        ("cmd: {start: ''}", '2:7: cmd.start must be a script of the repository or a command line, got ""'),
        ("cmd: {start: '  '}", '2:7: cmd.start must be a script of the repository or a command line, got "  "'),
        ("cmd: {start: 5}", "2:7: cmd.start must be a script of the repository or a command line, got 5"),
        ("cmd: {run: x}", "2:7: cmd.run is not a key here"),
        ("environments: [a]", "2:1: environments must be a mapping of environments, got a list"),
        ("environments: {Prod: {}}", '2:16: environments.Prod must be named by at most 20 lower-case letters, digits and "-", beginning with a letter'),
        ("environments: {prod: 3}", "2:16: environments.prod must be a mapping, got 3"),
        ("environments: {prod: {name: x}}", "2:23: environments.prod.name is the same in every environment"),
        ("environments: {prod: {environments: {}}}", "2:23: environments.prod.environments is the same in every environment"),
        ("environments: {prod: {scale: {replica: 1}}}", '2:31: environments.prod.scale.replica is not a key here; did you mean "replicas"?'),
        ("environments: {prod: {scale: {cpu_threshold: 5}}}", "2:31: environments.prod.scale.cpu_threshold needs a range of replicas, got a fixed 1"),
        ("environments: {prod: {cluster: ''}}", '2:23: environments.prod.cluster must be the name of a kubeconfig context, got ""'),
        ("environments: {prod: {namespace: A}}", '2:23: environments.prod.namespace must be a namespace of at most 63 lower-case letters, digits and "-", beginning with a letter and ending with a letter or digit, got "A"'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_place_expected_and_got(problems: Problems, line: str, problem: str) -> None:
    assert problems(f"platform: python\n{line}\n") == [problem]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", f"1:1: platform is missing; expected one of {KNOWN}"),
        ("# nothing yet\n", f"1:1: platform is missing; expected one of {KNOWN}"),
        ("name: shop", f"1:1: platform is missing; expected one of {KNOWN}"),
        ("platform: pyhton", f'1:1: platform must be one of {KNOWN}, got "pyhton"; did you mean "python"?'),
        ("platform: ../python", f'1:1: platform must be one of {KNOWN}, got "../python"; did you mean "python"?'),
        ("platform: 'python:'", '1:1: platform must be a platform, with a version if need be, such as "python" or '),
        ("platform: [python]", "1:1: platform must be a platform, with a version if need be, such as "),
        ("- platform: python", "1:1: must be a mapping of keys, such as `platform: python`, got a list"),
        ("python", '1:1: must be a mapping of keys, such as `platform: python`, got "python"'),
        ("platform: python\nplatform: python", '2:1: "platform" is here twice; the first is at 1:1'),
        ("Platform: python", '1:1: Platform is not a key here; did you mean "platform"?'),
        (b"\xff\xfe", "1:1: the file is UTF-16; expected UTF-8"),
        (b"platform: python\nname: \xe9", "2:7: the byte 0xe9 is not UTF-8"),
    ],
)
def test_the_file_as_a_whole(problems: Problems, text: str | bytes, problem: str) -> None:
    assert any(line.startswith(problem) for line in problems(text))


def test_every_problem_at_once_in_the_order_of_the_file(problems: Problems) -> None:
    text = "scale: [1]\nenvironments:\n  a: {env: 3}\n  b: {ports: [0, 0x50]}\nnmae: x\n"
    assert [line.split(" ")[:2] for line in problems(text)] == [
        ["1:1:", "scale"],
        ["1:1:", "platform"],
        ["3:7:", "environments.a.env"],
        ["4:15:", "environments.b.ports[0]"],
        ["4:18:", "environments.b.ports[1]"],
        ["5:1:", "nmae"],
    ]


def test_problems_for_machines(write: Write) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        config.load(write("platform: python\nscale: {replicas: 3-1}\n"))
    assert caught.value.exit == Exit.CONFIG
    assert caught.value.hint == "write 1-3"
    assert caught.value.details == {
        "problems": [
            {
                "file": "nucleo.yml",
                "line": 2,
                "column": 9,
                "path": "scale.replicas",
                "message": 'scale.replicas must not begin higher than it ends, got "3-1"',
                "hint": "write 1-3",
            }
        ]
    }


def test_several_hints_each_say_their_place(write: Write) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        config.load(write("platform: python\nscale: 3-1\nresources: {cpu: 3-1}\n"))
    assert caught.value.hint.splitlines() == ["2:1: write 1-3", "3:13: write 1-3"]


def test_thousands_of_problems_are_cut_for_people_alone(write: Write) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        config.load(write("platform: python\nports: [" + "0," * 5000 + "]"))
    assert len(caught.value.message.splitlines()) == 101
    assert caught.value.message.endswith("and 4900 more")
    assert len(caught.value.details["problems"]) == 5000


@pytest.mark.parametrize(
    "line",
    ["A: [hunter2]", "A: {hunter2: x}", "A=hunter2: [x]", "A: *hunter2", "A: !hunter2", 'A: "hunter2', "A: @hunter2"],
)
def test_the_value_of_an_env_var_is_never_shown(write: Write, line: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        config.load(write(f"platform: python\nenv:\n  {line}\n"))
    assert "hunter2" not in str((caught.value.message, caught.value.hint, caught.value.details))


def test_an_env_that_is_one_text_is_not_shown(problems: Problems) -> None:
    assert problems("platform: python\nenv: A=hunter2") == ["2:1: env must be a mapping of names to values, got text"]


def test_a_threshold_in_an_environment_may_rely_on_the_range_below(write: Write) -> None:
    directory = write("platform: python\nscale: 2-5\nenvironments: {prod: {scale: {cpu_threshold: 30}}}")
    assert web(config.load(directory, "prod")).scale == Scale(2, 5, 30)


def test_a_threshold_is_not_blamed_for_a_scale_that_is_wrong(problems: Problems) -> None:
    text = "platform: python\nscale: {replicas: x}\nenvironments: {prod: {scale: {cpu_threshold: 30}}}"
    assert [line.split(" ")[1] for line in problems(text)] == ["scale.replicas"]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("shop", "shop"), ("My Shop", "my-shop"), ("shop_2.0", "shop-2-0"), ("Café", "cafe"), ("123", "app-123"),
        ("--x--", "x"), ("a" * 60, "a" * 40), ("a" * 39 + "-b", "a" * 39),
    ],
)  # fmt: skip
def test_the_default_name_is_the_folders(tmp_path: Path, folder: str, name: str) -> None:
    directory = tmp_path / folder
    directory.mkdir()
    (directory / "nucleo.yml").write_text("platform: python")
    assert config.load(directory).name == name


def test_a_folder_that_gives_no_name(tmp_path: Path) -> None:
    directory = tmp_path / "店"
    directory.mkdir()
    (directory / "nucleo.yml").write_text("platform: python")
    with pytest.raises(ConfigInvalid) as caught:
        config.load(directory)
    assert 'name is missing, and the folder\'s name "店" holds nothing to make one of' in caught.value.message
    assert caught.value.hint == "write name: my-app"


def test_no_file(repository: Path) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        config.load(Path())
    assert caught.value.message == "nucleo.yml does not exist"
    assert caught.value.hint.startswith("nucleo init")
    (repository / "nucleo.yaml").touch()
    with pytest.raises(ConfigInvalid, match=r"nucleo\.yml does not exist") as caught:
        config.load(repository)
    assert caught.value.hint == "rename nucleo.yaml to nucleo.yml"


def test_the_file_is_named_as_from_where_the_person_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a")
    assert loading.shown(Path("b")) == "b/nucleo.yml"
    assert loading.shown(Path()) == "nucleo.yml"
    assert loading.shown(Path("..")) == "../nucleo.yml"
    assert loading.shown(tmp_path / "a" / "b") == "b/nucleo.yml"
    assert loading.shown(tmp_path) == f"{tmp_path}/nucleo.yml"


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="does not exist"):
        config.load(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="is not a folder"):
        config.load(tmp_path / "file")


def test_what_is_no_file_is_not_waited_for(repository: Path) -> None:
    os.mkfifo(repository / "nucleo.yml")
    with pytest.raises(ConfigInvalid, match="is not a regular file"):
        config.load(repository)


def test_a_folder_named_nucleo_yml(repository: Path) -> None:
    (repository / "nucleo.yml").mkdir()
    with pytest.raises(ConfigInvalid, match="is not a regular file"):
        config.load(repository)


def test_links_in_a_circle(repository: Path) -> None:
    (repository / "nucleo.yml").symlink_to("nucleo.yml")
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        config.load(repository)


GARBAGE = st.one_of(
    st.binary(max_size=120),
    st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(
        st.tuples(
            st.sampled_from(["name", "platform", "ports", "cmd", "scale", "resources", "env", "kernel", "health", "x"]),
            st.sampled_from(["python", "[1, a, 2:3]", "{start: ../x}", "3-1", "{cpu: 1-2-3}", "{A: ~}", "*a", "- 1", "9" * 400]),
        ),
        max_size=6,
    ).map(lambda lines: "\n".join(f"{key}: {value}" for key, value in lines).encode()),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(GARBAGE)
def test_any_bytes_give_an_app_or_a_problem(write: Write, data: bytes) -> None:
    try:
        assert config.load(write(data)).platform == "python"
    except NucleoError as error:
        assert isinstance(error, ConfigInvalid)
        assert error.message
        assert error.details["problems"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(-10, 70_000), st.integers(-10, 70_000))
def test_a_port_is_from_1_to_65535(write: Write, internal: int, external: int) -> None:
    directory = write(f"platform: python\nports: ['{internal}:{external}']")
    if 1 <= internal <= 65535 and 1 <= external <= 65535:
        assert web(config.load(directory)).ports == (Port(internal, external),)
    else:
        with pytest.raises(ConfigInvalid, match=r"ports\[0\]"):
            config.load(directory)


@given(st.text(max_size=80))
def test_any_folder_gives_a_valid_name_or_none(folder: str) -> None:
    from nucleo_cli.config.model import NAME
    from nucleo_cli.config.values import as_label

    name = as_label(folder, 40)
    assert name == "" or NAME.kind.parse(name) == name  # type: ignore[attr-defined]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.from_regex(r"[a-zA-Z0-9-]{1,50}", fullmatch=True))
def test_names(write: Write, name: str) -> None:
    import re

    directory = write(f'name: "{name}"\nplatform: python')
    if re.fullmatch(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", name):
        assert config.load(directory).name == name
    else:
        with pytest.raises(ConfigInvalid, match="name must be"):
            config.load(directory)
