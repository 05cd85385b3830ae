"""The README says what the program says: references, exit codes, commands."""

import re
import subprocess
import sys
from pathlib import Path

from nucleo_cli.commands import TABLE
from nucleo_cli.errors import Exit

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_references_are_those_of_this_program() -> None:
    done = subprocess.run([sys.executable, ROOT / ".ci" / "reference", "--check"], capture_output=True, check=False)
    assert done.returncode == 0, f".ci/reference writes them anew\n{done.stderr.decode()}"


def test_every_command_has_its_help_with_an_example_in_the_reference() -> None:
    reference = README.partition("<!-- commands -->")[2].partition("<!-- end of commands -->")[0]
    for name in TABLE:
        assert f"| `nucleo {name}` |" in reference
        assert re.search(rf"^ +nucleo {name}\b", reference, re.MULTILINE), f"nucleo {name} has no example"


def test_every_exit_code_is_explained() -> None:
    rows = " ".join(re.findall(r"^\| ([0-9 /]+) \|", README, re.MULTILINE))
    assert set(re.findall(r"\d+", rows)) == {str(int(code)) for code in Exit}


def test_links_lead_to_files_of_the_repository() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_no_placeholder_is_left() -> None:
    for name in ("transcript", "failure", "figures"):
        between = README.partition(f"<!-- {name} -->")[2].partition(f"<!-- end of {name} -->")[0]
        assert between.strip(), f"{name} is empty"
