"""The chosen cluster in the user file."""

from pathlib import Path

from nucleo_cli.clusters import choice


def test_nothing_is_chosen_at_first(home: Path) -> None:
    assert choice.chosen() is None
    assert not choice.user_file().exists()


def test_a_choice_is_remembered_and_forgotten(home: Path) -> None:
    choice.choose("prod-tokyo")
    assert choice.chosen() == "prod-tokyo"
    choice.forget("nucleo-local")
    assert choice.chosen() == "prod-tokyo"
    choice.forget("prod-tokyo")
    assert choice.chosen() is None


def test_other_keys_of_the_user_file_stay(home: Path) -> None:
    file = choice.user_file()
    file.parent.mkdir(parents=True)
    file.write_text("color: false\ncluster: old\n")
    choice.choose("new")
    choice.forget("new")
    assert file.read_text() == "color: false\n"
