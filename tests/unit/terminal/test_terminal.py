"""stdout is data, stderr is for people; questions are asked where somebody can answer."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.domain.events import Notice, PhaseEnded, Work
from nucleo_cli.errors import Exit, Interrupted, NucleoError, UsageError
from nucleo_cli.terminal.clean import clean
from nucleo_cli.terminal.terminal import Terminal


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def piped(**options: Any) -> Terminal:
    return Terminal(stdin=io.StringIO(), stdout=io.StringIO(), stderr=io.StringIO(), **options)


def typed(answers: str, **options: Any) -> Terminal:
    return Terminal(stdin=Tty(answers), stdout=Tty(), stderr=Tty(), **options)


def out(terminal: Terminal) -> str:
    assert isinstance(terminal.stdout, io.StringIO)
    return terminal.stdout.getvalue()


def err(terminal: Terminal) -> str:
    assert isinstance(terminal.stderr, io.StringIO)
    return terminal.stderr.getvalue()


class TestShow:
    def test_people_get_the_text(self) -> None:
        terminal = piped()
        terminal.show({"a": 1}, "text")
        assert (out(terminal), err(terminal)) == ("text\n", "")

    def test_machines_get_one_document(self) -> None:
        terminal = piped(machine=True)
        terminal.show({"name": "é", "n": None}, lambda: pytest.fail("the text is not asked for"))
        assert json.loads(out(terminal)) == {"name": "é", "n": None}
        assert out(terminal).count("\n") == 1

    @given(st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x9b\x85\u202e\u2028\ud800"))))
    def test_json_is_safe_to_look_at_and_loses_nothing(self, text: str) -> None:
        terminal = piped(machine=True)
        terminal.show({"text": text}, "")
        assert json.loads(out(terminal)) == {"text": text}
        assert out(terminal).encode().decode().splitlines() == [clean(out(terminal))]

    def test_no_text_is_no_line(self) -> None:
        terminal = piped()
        terminal.show({}, lambda: "")
        assert out(terminal) == ""

    def test_a_note_is_for_people_only(self) -> None:
        for options, shown in (({}, "look\n"), ({"quiet": True}, ""), ({"machine": True}, "")):
            terminal = piped(**options)
            terminal.note("look")
            assert (out(terminal), err(terminal)) == ("", shown)


class TestFollow:
    def work(self) -> Work[int]:
        yield Notice("on it")
        yield PhaseEnded("build", 1.0)
        return 5

    def test_events_go_to_stderr_and_the_result_comes_back(self) -> None:
        terminal = piped(machine=True)
        assert terminal.follow(self.work()) == 5
        assert out(terminal) == ""
        assert err(terminal) == "  on it\n✓ build         1.0s\n"

    def test_an_error_of_the_workflow_passes(self) -> None:
        def broken() -> Work[None]:
            yield Notice("on it")
            raise NucleoError("broken")

        with pytest.raises(NucleoError, match="broken"):
            piped().follow(broken())

    def test_a_signal_while_a_line_is_written_reaches_the_workflow(self) -> None:
        class Interrupting(io.StringIO):
            def write(self, s: str) -> int:
                if "on it" in s:
                    raise Interrupted(Exit.INTERRUPTED)
                return super().write(s)

        def tidy() -> Work[str]:
            try:
                yield Notice("on it")
            except Interrupted:
                yield Notice("tidying")
                return "tidied"
            return "went on"

        terminal = Terminal(stdin=io.StringIO(), stdout=io.StringIO(), stderr=Interrupting())
        assert terminal.follow(tidy()) == "tidied"
        assert "tidying" in err(terminal)

    def test_a_workflow_without_events_has_a_result_too(self) -> None:
        def nothing() -> Work[int]:
            yield from ()
            return 7

        assert piped().follow(nothing()) == 7


class TestError:
    def test_people_see_message_evidence_and_hint_in_this_order(self) -> None:
        terminal = piped()
        terminal.error(NucleoError("it crashed\nat once", "nucleo logs\nnucleo ps", {"log": ["line 1", "line 2"]}))
        assert err(terminal) == (
            "error: it crashed\n       at once\n  | line 1\n  | line 2\nhint:  nucleo logs\nhint:  nucleo ps\n"
        )
        assert out(terminal) == ""

    def test_the_output_of_a_build_step_stands_above_what_it_means(self) -> None:
        terminal = piped()
        terminal.error(NucleoError("it failed", "try again", {"output": ["no such package"]}))
        assert err(terminal) == "  | no such package\nerror: it failed\nhint:  try again\n"

    def test_machines_get_all_of_it_on_stdout(self) -> None:
        terminal = piped(machine=True)
        terminal.error(NucleoError("it crashed", "nucleo logs", {"log": ["\x1b[31mred"], "when": {1}}))
        document = json.loads(out(terminal))
        assert (document["error"], document["code"], document["hint"]) == ("it crashed", "failed", "nucleo logs")
        assert document["details"]["log"] == ["\x1b[31mred"]

    @pytest.mark.parametrize("machine", [False, True])
    def test_nothing_foreign_steers_the_terminal(self, machine: bool) -> None:
        terminal = piped(machine=machine)
        terminal.error(NucleoError("a\x1b[2Jb", "c\x1b[2Jd", {"log": ["e\x1b[2Jf"]}))
        assert "\x1b" not in err(terminal) + out(terminal)

    def test_an_empty_message_is_still_told(self) -> None:
        terminal = piped()
        terminal.error(NucleoError(""))
        assert err(terminal).startswith("error:")


class TestConfirm:
    def test_the_name_given_on_the_command_line_is_enough(self) -> None:
        piped().confirm("Destroys all.", "shop", "shop")

    def test_another_name_is_refused(self) -> None:
        with pytest.raises(UsageError, match='--confirm says "shpo"'):
            piped().confirm("Destroys all.", "shop", "shpo")

    def test_off_a_tty_the_option_is_named(self) -> None:
        with pytest.raises(UsageError) as caught:
            piped().confirm("Destroys all.", "shop", None)
        assert caught.value.hint == "add --confirm shop"

    def test_on_a_tty_the_name_is_asked_for(self) -> None:
        terminal = typed("shop\n")
        terminal.confirm("Destroys all.", "shop", None)
        assert "Type shop to go on:" in err(terminal)

    @pytest.mark.parametrize("answer", ["yes\n", "\n", "Shop\n"])
    def test_any_other_answer_changes_nothing(self, answer: str) -> None:
        with pytest.raises(UsageError, match="nothing was changed"):
            typed(answer).confirm("Destroys all.", "shop", None)


class TestAsk:
    def test_the_answer_comes_back_without_its_line_end(self) -> None:
        assert typed("  python \n").ask("Which platform?") == "python"

    def test_a_choice_is_asked_for_again_until_it_is_one(self) -> None:
        terminal = typed("ruby\npython\n")
        assert terminal.ask("Which platform?", choices=["python", "node"]) == "python"
        assert err(terminal).count("Which platform? [python/node]") == 2

    def test_the_end_of_input_is_no_answer(self) -> None:
        with pytest.raises(UsageError, match="no answer"):
            typed("").ask("Which platform?")

    @pytest.mark.parametrize("terminal", [piped(), typed("x\n", machine=True), typed("x\n", input=False)])
    def test_where_nobody_can_answer_the_option_is_named(self, terminal: Terminal) -> None:
        with pytest.raises(UsageError) as caught:
            terminal.ask("Which platform?", "--platform")
        assert caught.value.hint == "say it with --platform"
