"""The source tree: which files a build may see, their hash, and what is refused."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleo_cli.builder.source import LARGE, Entry, Source, read_source
from nucleo_cli.errors import BuildFailed, NotFound


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def repository(root: Path) -> None:
    subprocess.run(["git", "init", "-q", str(root)], check=True)


@pytest.mark.parametrize("with_git", [True, False])
def test_what_is_ignored_is_left_out(tmp_path: Path, with_git: bool) -> None:
    if with_git:
        repository(tmp_path)
    write(
        tmp_path,
        **{
            "app.py": "1",
            "notes.md": "2",
            "build/out.bin": "3",
            "lib/a.pyc": "4",
            "lib/keep.py": "5",
            "lib/.gitignore": "local.txt\n",
            "lib/local.txt": "6",
            ".gitignore": "build/\n*.pyc\n",
            ".nucleoignore": "*.md\n",
        },
    )
    assert read_source(tmp_path).paths == (".gitignore", ".nucleoignore", "app.py", "lib/.gitignore", "lib/keep.py")


def test_the_app_may_be_a_folder_of_a_larger_repository(tmp_path: Path) -> None:
    repository(tmp_path)
    write(tmp_path, **{"other/x.py": "1", "shop/app.py": "2", ".gitignore": "*.log\n", "shop/a.log": "3"})
    assert read_source(tmp_path / "shop").paths == ("app.py",)


def test_an_app_in_an_ignored_folder_still_has_files(tmp_path: Path) -> None:
    repository(tmp_path)
    write(tmp_path, **{".gitignore": "scratch/\n", "scratch/app.py": "1"})
    assert read_source(tmp_path / "scratch").paths == ("app.py",)


def test_a_file_that_git_lists_and_that_was_deleted_since_is_not_there(tmp_path: Path) -> None:
    repository(tmp_path)
    write(tmp_path, **{"a.py": "1", "b.py": "2"})
    subprocess.run(["git", "-C", str(tmp_path), "add", "."], check=True)
    (tmp_path / "a.py").unlink()
    assert read_source(tmp_path).paths == ("b.py",)


def test_a_repository_inside_of_the_tree_is_part_of_it(tmp_path: Path) -> None:
    repository(tmp_path)
    write(tmp_path, **{"a.py": "1", "vendored/b.py": "2"})
    repository(tmp_path / "vendored")
    assert read_source(tmp_path).paths == ("a.py", "vendored/b.py")


def test_modes_are_one_of_two(tmp_path: Path) -> None:
    write(tmp_path, **{"a.sh": "1", "b.py": "2"})
    (tmp_path / "a.sh").chmod(0o700)
    (tmp_path / "b.py").chmod(0o600)
    assert [entry.mode for entry in read_source(tmp_path).entries.values()] == [0o755, 0o644]


def test_a_link_inside_the_tree_is_kept(tmp_path: Path) -> None:
    write(tmp_path, **{"real.txt": "1"})
    (tmp_path / "link.txt").symlink_to("real.txt")
    assert read_source(tmp_path).entries["link.txt"] == Entry("link.txt", 0o777, 0, "real.txt")


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "sub/../../outside"])
def test_a_link_that_leads_out_is_refused_by_name(tmp_path: Path, target: str) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "bad").symlink_to(target)
    with pytest.raises(BuildFailed, match=r"bad is a symbolic link that leads out of the app") as caught:
        read_source(tmp_path / "app")
    assert "echo '/bad' >> .nucleoignore" in caught.value.hint


def test_a_link_that_leads_out_may_be_ignored(tmp_path: Path) -> None:
    write(tmp_path, **{"a.py": "1", ".nucleoignore": "/bad\n"})
    (tmp_path / "bad").symlink_to("/etc/passwd")
    assert read_source(tmp_path).paths == (".nucleoignore", "a.py")


def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, **{"a.py": "1"})
    os.mkfifo(tmp_path / "pipe")
    assert read_source(tmp_path).paths == ("a.py",)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_source(tmp_path / "none")


def test_the_hash_sees_content_name_and_mode_and_no_time(tmp_path: Path) -> None:
    write(tmp_path, **{"a.py": "1"})
    first = read_source(tmp_path).hash
    os.utime(tmp_path / "a.py", (1, 1))
    assert read_source(tmp_path).hash == first
    (tmp_path / "a.py").chmod(0o755)
    executable = read_source(tmp_path).hash
    (tmp_path / "a.py").write_text("2")
    changed = read_source(tmp_path).hash
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({first, executable, changed, read_source(tmp_path).hash}) == 4


def test_reading_text(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"a\xffb")
    source = read_source(tmp_path)
    assert source.read("bad.txt") == "a�b"
    assert source.read("none.txt") is None
    assert source.has("bad.txt")
    assert source.glob("*.txt") == ("bad.txt",)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    source = Source(tmp_path, [Entry("gone.txt", 0o644, 1)])
    with pytest.raises(BuildFailed, match=r"gone\.txt cannot be read"):
        _ = source.hash


def test_warnings_name_the_line_to_add(tmp_path: Path) -> None:
    source = Source(tmp_path, [Entry("model.bin", 0o644, LARGE + 1), Entry(".env", 0o644, 3), Entry("a.py", 0o644, 3)])
    assert [warning.hint for warning in source.warnings()] == [
        "To leave it out: echo '/model.bin' >> .nucleoignore",
        "To leave it out: echo '/.env' >> .nucleoignore",
    ]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8), unique=True))
def test_the_order_of_files_does_not_matter(names: list[str]) -> None:
    entries = [Entry(name, 0o777, 0, "target") for name in names]
    assert Source(Path(), entries).hash == Source(Path(), reversed(entries)).hash


def test_an_app_of_a_monorepo_sees_the_whole_tree_from_its_own_folder(tmp_path: Path) -> None:
    write(tmp_path, **{"package-lock.json": "{}", "lib/a.js": "1", "services/api/main.js": "2", "services/web.js": "3"})
    source = read_source(tmp_path / "services" / "api", "../..")
    assert (source.folder, source.app) == ("services/api", "/app/services/api")
    assert source.paths == ("main.js",)
    assert source.tree == ("../../lib/a.js", "../../package-lock.json", "main.js", "../web.js")
    assert source.read("../../package-lock.json") == "{}"
    assert source.fingerprint("../../lib/a.js") == Source(tmp_path, source.entries.values()).fingerprint("lib/a.js")
    assert not source.has("lib/a.js")


def test_both_ignore_files_of_a_monorepo_count(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{
            ".nucleoignore": "/docs/\n",
            "docs/a": "1",
            "api/docs/a": "1",
            "api/x.md": "1",
            "api/.nucleoignore": "/x.md\n",
        },
    )
    assert read_source(tmp_path / "api", "..").tree == ("../.nucleoignore", ".nucleoignore", "docs/a")


def test_a_root_that_is_not_above_the_app_is_refused(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "web").mkdir()
    with pytest.raises(BuildFailed, match="is not a folder above the app"):
        read_source(tmp_path / "api", "../web")
