"""Command lines as a shell runs them."""

import pytest

from nucleo_cli.domain.shell import shell_argv, shell_line


@pytest.mark.parametrize(
    ("line", "run"),
    [
        ("gunicorn shop:app", "exec gunicorn shop:app"),
        ("nucleo/start.sh", "exec nucleo/start.sh"),
        ("  python -m shop  ", "exec python -m shop"),
        ('python -c "print"', 'exec python -c "print"'),
        ("gunicorn -b :$PORT shop", "exec gunicorn -b :$PORT shop"),
        ("setup.sh", "exec setup.sh"),
        ("cd src && python main.py", "cd src && python main.py"),
        ("A=1 python main.py", "A=1 python main.py"),
        ("a; b", "a; b"),
        ("a | b", "a | b"),
        ("exec a", "exec a"),
        ("while true; do a; done", "while true; do a; done"),
        ("a\nb", "a\nb"),
    ],
)
def test_a_single_program_takes_the_shells_place(line: str, run: str) -> None:
    assert shell_line(line) == run
    assert shell_argv(line) == ["/bin/sh", "-c", run]
