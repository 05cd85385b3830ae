"""Looking at a running app and working inside it: ps, logs, exec, run, restart, metrics, open, apps."""

import json
import os
import pty
import re
import signal
import subprocess
import threading
import time

import pexpect
import pyte
import pytest

from tests.e2e.api import Api
from tests.e2e.checker import Probe, ask, eventually, unharmed
from tests.e2e.conftest import AppFactory
from tests.e2e.sample import APP, Sample
from tests.installed import PROGRAM

# Numbered lines, hostile ones, and two paths: /say makes a line, /die ends the process.
TALKATIVE = APP.replace(
    'print("serving", flush=True)',
    """
import sys
sys.stdout.buffer.write(b"\\xff\\xfe not text\\n\\x1b[2J\\x1b]0;title\\x07red \\x1b[31malert\\n")
sys.stdout.buffer.write(b"L" * 100_000 + b"\\n")
for number in range(1000):
    sys.stdout.buffer.write(b"line %d\\n" % number)
sys.stdout.buffer.write(b"no newline at first")
sys.stdout.buffer.flush()
print("", flush=True)
""",
).replace(
    "    def do_GET(self):",
    """    def log_message(self, *words):
        pass

    def do_GET(self):
        if self.path.startswith("/say/"):
            print("said", self.path[5:], flush=True)
        if self.path == "/die":
            print("dying", flush=True)
            os._exit(3)""",
)


@pytest.fixture(scope="module")
def talker(app_factory: AppFactory) -> Sample:
    made = app_factory("talker")
    made.write("app.py", TALKATIVE)
    made.deploy()
    return made


class TestLogs:
    def test_every_line_once_and_in_order(self, talker: Sample) -> None:
        lines = talker("logs", "--tail", "2000", "--raw").expect(0).stdout.splitlines()
        numbers = [int(found[1]) for line in lines if (found := re.search(r"\bline (\d+)$", line))]
        assert numbers == list(range(1000))
        assert any(line.endswith("no newline at first") for line in lines)

    def test_nothing_in_them_steers_the_terminal(self, talker: Sample) -> None:
        output = talker("logs", "--tail", "2000").expect(0).stdout
        assert not set(output) & {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))} - {"\n", "\t"}
        assert "red alert" in output
        assert "not text" in output
        assert "L" * 100_000 in output.replace("\n", "")

    def test_as_json_each_line_is_an_object(self, talker: Sample) -> None:
        result = talker("logs", "--tail", "2000", "--json").expect(0)
        assert len(result.objects) >= 1000
        assert all(set(each) >= {"time", "process", "pod", "message"} for each in result.objects)
        assert {each["process"] for each in result.objects} == {"web"}
        assert "\x1b" not in result.stdout

    def test_the_tail_is_as_long_as_asked(self, talker: Sample) -> None:
        assert len(talker("logs", "--tail", "3", "--json").expect(0).objects) == 3
        assert talker("logs", "--tail", "0").expect(0).stdout == ""

    def test_a_process_that_is_not_there_is_not_found(self, talker: Sample) -> None:
        assert "web" in str(talker("logs", "wrok", "--json").expect(6).json)

    def test_following_shows_what_is_printed_from_now_on(self, talker: Sample) -> None:
        with talker.nucleo.start("logs", "-f", "--tail", "0", "-C", str(talker.directory), "--json") as following:
            said: list[str] = []
            reader = threading.Thread(target=_collect, args=(following, said))
            reader.start()
            eventually("it follows", lambda: ask(f"{talker.url}/say/hello").status and "said hello" in said)
            for number in range(20):
                ask(f"{talker.url}/say/{number}")
            eventually("all is shown", lambda: "said 19" in said)
            following.send_signal(signal.SIGINT)
            following.wait(timeout=60)
            reader.join()
        assert [message for message in said if message.startswith("said ") and message != "said hello"] == [
            f"said {number}" for number in range(20)
        ]
        assert following.returncode == 130

    def test_a_reader_that_has_enough_ends_it_quietly(self, talker: Sample) -> None:
        command = f'"$0" logs -C "{talker.directory}" --tail 2000 | head -n 1'
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command, PROGRAM],
            env=dict(talker.nucleo.env),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert len(done.stdout.splitlines()) == 1

    def test_what_was_printed_before_a_crash_can_be_read(self, talker: Sample) -> None:
        ask(f"{talker.url}/die")
        eventually("the pod is back", lambda: ask(talker.url).status == 200)
        assert "dying" in talker("logs", "--previous").expect(0).stdout
        (process,) = talker("ps", "--json").expect(0).json["processes"]
        assert process["pods"][0]["restarts"] == 1


def _collect(process: "subprocess.Popen[str]", messages: list[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        messages.append(json.loads(line).get("message", ""))


class TestExec:
    def test_it_has_the_commands_output_and_code(self, talker: Sample) -> None:
        result = talker("exec", "--", "sh", "-c", "echo out; echo err >&2; exit 7").expect(7)
        assert (result.stdout, result.stderr) == ("out\n", "err\n")

    def test_it_passes_its_input_on(self, talker: Sample) -> None:
        assert talker("exec", "--", "cat", stdin="one\ntwo\n").expect(0).stdout == "one\ntwo\n"

    def test_a_command_that_is_not_there_is_told(self, talker: Sample) -> None:
        result = talker("exec", "--", "no-such-program")
        assert result.code in (126, 127)
        assert "Traceback" not in result.stderr

    def test_many_bytes_come_through_whole(self, talker: Sample) -> None:
        result = talker("exec", "--", "sh", "-c", "yes 0123456789 | head -c 5000000").expect(0)
        assert len(result.stdout) == 5_000_000

    def test_in_a_terminal_there_is_one_on_the_other_side_too(self, talker: Sample) -> None:
        child: pexpect.spawn[str] = pexpect.spawn(
            PROGRAM,
            ["exec", "-C", str(talker.directory)],
            env={**talker.nucleo.env, "TERM": "xterm"},
            encoding="utf-8",
            timeout=60,
            dimensions=(30, 90),
        )
        try:
            child.expect(r"\$ ")
            child.sendline("tty; stty size; exit 5")
            child.expect("/dev/pts/")
            child.expect("30 90")
            child.expect(pexpect.EOF)
        finally:
            child.close()
        assert child.exitstatus == 5


class TestRun:
    def test_it_has_the_apps_environment_and_the_commands_code(self, talker: Sample) -> None:
        result = talker("run", "--", "sh", "-c", "echo $PORT; exit 3").expect(3)
        assert result.stdout == "8080\n"

    def test_its_pod_is_gone_afterwards(self, talker: Sample, api: Api) -> None:
        talker("run", "--", "true").expect(0)
        eventually("the pod is gone", lambda: not _runs(talker, api))

    def test_interrupted_it_leaves_no_pod(self, talker: Sample, api: Api) -> None:
        with talker.nucleo.start("run", "-C", str(talker.directory), "--", "sleep", "300") as running:
            eventually("the pod is there", lambda: _runs(talker, api))
            time.sleep(1)
            running.send_signal(signal.SIGTERM)
            running.communicate(timeout=120)
        assert running.returncode == 143
        eventually("the pod is gone", lambda: not _runs(talker, api))


def _runs(app: Sample, api: Api) -> list[str]:
    pods = api.items(f"/api/v1/namespaces/{app.namespace}/pods", labelSelector="nucleo.io/run")
    return [pod["metadata"]["name"] for pod in pods]


class TestRestart:
    def test_every_pod_is_new_and_nobody_notices(self, talker: Sample, api: Api) -> None:
        def pods() -> set[str]:
            (process,) = talker("ps", "--json").expect(0).json["processes"]
            return {pod["name"] for pod in process["pods"]}

        before = pods()
        with Probe(talker.url) as probe:
            talker("restart", "--json").expect(0)
        unharmed(talker, api, probe)
        eventually("the old pods are gone", lambda: not before & pods())
        assert talker.deploy().json["changed"] is False


class TestLooking:
    def test_ps_reads_well_in_a_pipe(self, talker: Sample) -> None:
        output = talker("ps").expect(0).stdout
        assert "web" in output
        assert "\x1b" not in output

    def test_metrics_come_against_request_and_limit(self, talker: Sample) -> None:
        def measured() -> object:
            document = talker("metrics", "--json").expect(0).json
            return [pod for pod in document["pods"] if pod["memory"]["used"]]

        (pod,) = eventually("metrics-server has measured", measured)
        assert 0 < pod["memory"]["percent_of_limit"] < 100
        assert pod["cpu"]["percent_of_request"] is not None

    def test_open_says_the_url(self, talker: Sample) -> None:
        assert talker("open", "--json").expect(0).json["url"] == talker.url

    def test_apps_lists_it(self, talker: Sample) -> None:
        listed = talker.nucleo("apps", "--json").expect(0).json["apps"]
        assert talker.name in {each["app"] for each in listed}

    def test_doctor_finds_a_healthy_cluster(self, talker: Sample) -> None:
        talker.nucleo("doctor", "--json").expect(0)

    def test_version_has_the_clusters_too(self, talker: Sample) -> None:
        assert set(talker.nucleo("version", "--json").expect(0).json) >= {"nucleo", "python"}


class TestOnATerminal:
    def test_a_deploy_leaves_its_phases_and_the_url(self, talker: Sample) -> None:
        screen = pyte.Screen(100, 30)
        talker.write("app.py", TALKATIVE.replace('ANSWER = "one"', 'ANSWER = "two"'))
        leader, follower = pty.openpty()
        env = {**talker.nucleo.env, "TERM": "xterm-256color"}
        env.pop("NO_COLOR", None)
        process = subprocess.Popen(
            [PROGRAM, "deploy", "-C", str(talker.directory)], stdin=follower, stdout=follower, stderr=follower, env=env
        )
        os.close(follower)
        stream = pyte.ByteStream(screen)
        while chunk := _read(leader):
            stream.feed(chunk)
        os.close(leader)
        assert process.wait() == 0
        rows = [row.rstrip() for row in screen.display if row.strip()]
        shown = [row.split()[1] for row in rows if row.startswith(("✓", "–"))]
        assert [name for name in shown if name in ("check", "build", "push", "release", "rollout")] == [
            "check",
            "build",
            "push",
            "release",
            "rollout",
        ]
        assert rows[-1] == talker.url

    def test_destroy_asks_for_the_name(self, app_factory: AppFactory) -> None:
        app = app_factory("asked")
        app.deploy()
        env = {**app.nucleo.env, "TERM": "xterm"}
        child: pexpect.spawn[str] = pexpect.spawn(
            PROGRAM, ["destroy", "-C", str(app.directory)], env=env, encoding="utf-8", timeout=120
        )
        child.expect(f"Type {app.name} to go on:")
        child.sendline("yes")
        child.expect("not confirmed: nothing was changed")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 2
        assert ask(app.url).status == 200


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""
