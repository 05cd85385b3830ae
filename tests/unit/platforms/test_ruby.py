"""The ruby platform: what it makes of a tree."""

import re
from pathlib import Path

import pytest

from nucleo_cli.builder import platforms
from nucleo_cli.builder.source import read_source
from nucleo_cli.domain.build import Plan, Reason, Start, Step
from nucleo_cli.errors import BuildFailed

RUBY = platforms.load("ruby")
RACK = "run ->(_) { [200, {}, []] }\n"
GEMFILE = 'source "https://rubygems.org"\ngem "puma"\n'


def lock(*gems: str, platform: str = "ruby", more: str = "") -> str:
    specs = "".join(f"    {gem} (1.0.0)\n" for gem in gems)
    return (
        f"GEM\n  remote: https://rubygems.org/\n  specs:\n{specs}\nPLATFORMS\n  {platform}\n\n"
        f"DEPENDENCIES\n  rack\n{more}\nBUNDLED WITH\n   2.5.3\n"
    )


APP = {"Gemfile": GEMFILE, "Gemfile.lock": lock("puma", "rack"), "config.ru": RACK}
WITH_RUBY = lock("puma", more="\nRUBY VERSION\n   ruby 3.3.5p100\n")
RAILS = {**APP, "Gemfile.lock": lock("puma", "railties"), "config/application.rb": "", "Rakefile": ""}


def plan(root: Path, files: dict[str, str], version: str | None = None, start: Start | None = None) -> Plan:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return platforms.planner("ruby")(read_source(root), RUBY, version, start)


def because(found: Plan, choice: str) -> str:
    return next(reason.because for reason in found.reasons if reason.choice.startswith(choice))


def step(found: Plan, name: str) -> Step:
    return next(step for step in found.steps if step.name == name)


# Which Ruby


@pytest.mark.parametrize(
    ("files", "version", "reason"),
    [
        ({}, "3.3", "the platform's default"),
        ({".ruby-version": "3.1.6\n"}, "3.1", "from .ruby-version: 3.1.6"),
        ({".ruby-version": "ruby-3.3.0\n"}, "3.3", "from .ruby-version: 3.3.0"),
        ({".tool-versions": "nodejs 20\nruby 3.1.4 # mise\n"}, "3.1", "from .tool-versions: 3.1.4"),
        ({"Gemfile": f'{GEMFILE}ruby "~> 3.1.0"\n'}, "3.1", "from Gemfile: ~> 3.1.0"),
        ({"Gemfile": f'{GEMFILE}ruby ">= 3.0", "< 3.3"\n'}, "3.1", "from Gemfile: >= 3.0, < 3.3"),
        ({"Gemfile": f'{GEMFILE}ruby ">= 2.7"\n', ".ruby-version": "3.1.2"}, "3.3", "from Gemfile: >= 2.7"),
        ({"Gemfile": f'{GEMFILE}ruby file: ".ruby-version"\n', ".ruby-version": "3.1.2"}, "3.1", "from .ruby-version"),
        ({"Gemfile": f'{GEMFILE}ruby ENV["RUBY"]\n', ".ruby-version": "3.1"}, "3.1", "from .ruby-version"),
        (
            {"Gemfile.lock": lock("puma", "rack", more="\nRUBY VERSION\n   ruby 3.1.2p20\n")},
            "3.1",
            "from Gemfile.lock: ~> 3.1.0",
        ),
    ],
)
def test_the_version(tmp_path: Path, files: dict[str, str], version: str, reason: str) -> None:
    found = plan(tmp_path, {**APP, **files})
    assert found.version == version
    assert because(found, f"ruby {version}").startswith(reason)
    assert f"/ruby/{version}.0/bin:" in found.env["PATH"]


@pytest.mark.parametrize(
    ("clause", "fitting"),
    [
        ("~> 3.3.0", "3.3"),
        ("~> 3.3.9", "3.3"),
        ("~> 3.1", "3.3 3.1"),
        ("~> 4", ""),
        ("3", "3.3 3.1"),
        ("= 3.1.2", "3.1"),
        ("> 3.1", "3.3"),
        ("> 3.1.2", "3.3 3.1"),
        ("<= 3.1", "3.1"),
        ("< 3.3", "3.1"),
        ("< 3.3.0", "3.1"),
        ("< 3.3.5", "3.3 3.1"),
        ("!= 3.3.1", "3.3 3.1"),
        ("!= 3.3", "3.1"),
    ],
)
def test_requirements(tmp_path: Path, clause: str, fitting: str) -> None:
    files = {**APP, "Gemfile": f'{GEMFILE}ruby "{clause}"\n'}
    if not fitting:
        with pytest.raises(BuildFailed, match="does not have"):
            plan(tmp_path, files)
        return
    assert plan(tmp_path, files).version == fitting.split()[0]
    for version in RUBY.versions:
        if version not in fitting.split():
            with pytest.raises(BuildFailed, match=r"nucleo\.yml asks for Ruby"):
                plan(tmp_path, files, version=version)


def test_nucleo_yml_decides_the_version(tmp_path: Path) -> None:
    found = plan(tmp_path, {**APP, ".ruby-version": "3.3.1"}, version="3.1")
    assert found.reasons[0] == Reason("ruby 3.1", "from nucleo.yml")


@pytest.mark.parametrize(
    ("files", "version", "message", "hint"),
    [
        ({}, "2.7", r"nucleo\.yml asks for Ruby 2\.7", "It has: 3.3, 3.1"),
        ({".ruby-version": "3.4.1"}, None, r"\.ruby-version asks for Ruby 3\.4\.1", "It has: 3.3, 3.1"),
        ({"Gemfile": 'ruby "~> 3.4"\n'}, None, r"Gemfile asks for Ruby ~> 3\.4", "It has: 3.3, 3.1"),
        ({"Gemfile": 'ruby "3.3.1", engine: "jruby"\n'}, None, "asks for jruby", "Remove engine:"),
        ({"Gemfile": 'ruby file: ".ruby-version"\n'}, None, r"from \.ruby-version, which is not", "Add .ruby-version"),
    ],
)
def test_a_version_that_is_not_there(
    tmp_path: Path, files: dict[str, str], version: str | None, message: str, hint: str
) -> None:
    with pytest.raises(BuildFailed, match=message) as caught:
        plan(tmp_path, {**APP, **files}, version=version)
    assert caught.value.hint == hint


@pytest.mark.parametrize("line", ['ruby "3.3.5"', "ruby '3.3.5'  # as in production", 'ruby("= 3.3.5")'])
def test_an_exact_ruby_becomes_the_platforms_patch_of_it(tmp_path: Path, line: str) -> None:
    found = plan(tmp_path, {**APP, "Gemfile": f"{line}\n{GEMFILE}", "Gemfile.lock": WITH_RUBY})
    text = step(found, "gemfile").files["/app/Gemfile"]
    assert '"~> 3.3.0"' in text
    assert "3.3.5" not in text
    assert text.endswith(GEMFILE)
    assert step(found, "gems").files["/app/Gemfile"] == text
    assert "Gemfile" not in step(found, "gems").inputs
    assert found.leave_out == ("/Gemfile",)
    assert "3.3.5" in found.warnings[0]


def test_a_version_file_that_the_gemfile_reads_is_no_trouble_either(tmp_path: Path) -> None:
    found = plan(tmp_path, {**APP, "Gemfile": f'ruby file: ".ruby-version"\n{GEMFILE}', ".ruby-version": "3.3.4"})
    assert step(found, "gems").files["/app/Gemfile"] == f'# ruby file: ".ruby-version"\n{GEMFILE}'


# Which gems


def test_the_gems_are_one_layer_made_of_the_lock_file(tmp_path: Path) -> None:
    found = plan(tmp_path, {**APP, "app.rb": ""})
    assert [one.name for one in found.steps] == ["gems"]
    assert step(found, "gems").inputs == ("Gemfile", "Gemfile.lock")
    assert step(found, "gems").output == "/opt/app/bundle"
    assert because(found, "bundler").endswith("written by 2.5.3")
    assert found.env["BUNDLE_WITHOUT"] == "development:test"


def test_gems_of_the_tree_are_inputs(tmp_path: Path) -> None:
    path = "PATH\n  remote: gems/greeting\n  specs:\n    greeting (0.1.0)\n\n"
    found = plan(
        tmp_path,
        {
            **APP,
            "Gemfile": f'{GEMFILE}gem "greeting", path: "gems/greeting"\neval_gemfile "more.rb"\n',
            "Gemfile.lock": path + lock("puma"),
            "gems/greeting/greeting.gemspec": "",
            "gems/greeting/lib/greeting.rb": "",
            "gems/other.rb": "",
            "more.rb": "",
        },
    )
    assert step(found, "gems").inputs == (
        "Gemfile", "Gemfile.lock", "gems/greeting/greeting.gemspec", "gems/greeting/lib/greeting.rb", "more.rb",
    )  # fmt: skip


def test_an_app_of_a_larger_tree(tmp_path: Path) -> None:
    path = "PATH\n  remote: ../../gems/greeting\n  specs:\n    greeting (0.1.0)\n\n"
    files = {**APP, "Gemfile": 'ruby "3.3.1"\n', "Gemfile.lock": path + lock("puma")}
    for name, text in {
        **{f"services/web/{k}": v for k, v in files.items()},
        "gems/greeting/lib/greeting.rb": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = platforms.planner("ruby")(read_source(tmp_path / "services/web", "../.."), RUBY, None, None)
    assert "../../gems/greeting/lib/greeting.rb" in step(found, "gems").inputs
    assert step(found, "gemfile").output == "/app/services/web/Gemfile"


def test_the_other_names_of_the_gemfile(tmp_path: Path) -> None:
    found = plan(tmp_path, {"gems.rb": GEMFILE, "gems.locked": lock("puma"), "config.ru": RACK})
    assert found.env["BUNDLE_GEMFILE"] == "gems.rb"
    assert step(found, "gems").inputs == ("gems.locked", "gems.rb")


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        ({"config.ru": RACK}, "There is no Gemfile", "Run: bundle init && bundle add rackup puma"),
        ({"gemfile": "", "config.ru": RACK}, "gemfile is not read", "Run: git mv gemfile Gemfile"),
        ({"Gemflie": "", "config.ru": RACK}, "Gemflie is not read", "Run: git mv Gemflie Gemfile"),
        ({"Gemfile.lock": lock("puma")}, r"Gemfile\.lock is there, but Gemfile is not", "Add Gemfile"),
        ({"Gemfile": GEMFILE}, r"Gemfile has no Gemfile\.lock beside it", "Run: bundle lock"),
        ({**APP, "gems.rb": ""}, r"Both Gemfile and gems\.rb", "Keep one: git rm gems.rb"),
        (
            {**APP, "Gemfile.lock": "GEM\n<<<<<<< HEAD\n"},
            r"Gemfile\.lock:2 has the marks of a merge conflict",
            "Run: git checkout",
        ),
        (
            {**APP, "Gemfile.lock": lock("puma", platform="arm64-darwin-23")},
            r"is made for arm64-darwin-23 alone",
            "Run: bundle lock --add-platform x86_64-linux",
        ),
    ],
)
def test_bad_input(tmp_path: Path, files: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(BuildFailed, match=message) as caught:
        plan(tmp_path, files)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(hint)


# How it starts


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({}, "bundle exec puma -b tcp://0.0.0.0:$PORT"),
        ({"Gemfile.lock": lock("webrick", "puma")}, "bundle exec puma -b tcp://0.0.0.0:$PORT"),
        ({"Gemfile.lock": lock("falcon")}, "bundle exec falcon serve --bind http://0.0.0.0:$PORT"),
        ({"Gemfile.lock": lock("unicorn")}, "bundle exec unicorn -o 0.0.0.0 -p $PORT"),
        (
            {"Gemfile.lock": lock("unicorn"), "config/unicorn.rb": ""},
            "bundle exec unicorn -o 0.0.0.0 -p $PORT -c config/unicorn.rb",
        ),
        ({"Gemfile.lock": lock("webrick")}, "bundle exec rackup -s webrick -o 0.0.0.0 -p $PORT"),
    ],
)
def test_the_server(tmp_path: Path, files: dict[str, str], line: str) -> None:
    assert plan(tmp_path, {**APP, **files}).start == line


def test_a_classic_sinatra_app(tmp_path: Path) -> None:
    files = {
        "Gemfile": GEMFILE,
        "Gemfile.lock": lock("puma", "sinatra"),
        "hello.rb": 'require "sinatra"\nget("/") {}\n',
    }
    found = plan(tmp_path, {**files, "lib.rb": 'require "sinatra/base"\n'})
    assert found.start == "bundle exec ruby hello.rb -o 0.0.0.0 -p $PORT"
    with pytest.raises(BuildFailed, match=r"Both again\.rb and hello\.rb are Sinatra apps"):
        plan(tmp_path, {"again.rb": "require 'sinatra'\n"})


def test_what_is_said_wins(tmp_path: Path) -> None:
    found = plan(
        tmp_path, {"Gemfile": GEMFILE, "Gemfile.lock": lock("rack")}, start=Start("ruby x.rb", "from Procfile")
    )
    assert found.start == "ruby x.rb"
    assert found.reasons[-1] == Reason("start: ruby x.rb", "from Procfile")


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        ({**APP, "Gemfile.lock": lock("rack")}, "is a web server", "Run: bundle add puma"),
        ({"Gemfile": GEMFILE, "Gemfile.lock": lock("puma")}, r"There is no config\.ru", "Add config.ru"),
    ],
)
def test_no_way_to_start(tmp_path: Path, files: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(BuildFailed, match=message) as caught:
        plan(tmp_path, files)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(hint)


# Rails


def test_rails(tmp_path: Path) -> None:
    found = plan(tmp_path, RAILS)
    assert because(found, "start").startswith("Rails")
    assert [one.name for one in found.steps] == ["gems", "tmp"]
    assert found.env["RAILS_ENV"] == "production"
    assert found.leave_out == ("/tmp/", "/log/")


@pytest.mark.parametrize(
    "files",
    [
        {"Gemfile.lock": lock("puma", "railties", "propshaft")},
        {"Gemfile.lock": lock("puma", "railties", "sprockets-rails")},
        {"lib/tasks/assets.rake": "namespace :assets do\nend\n"},
    ],
)
def test_assets_are_compiled(tmp_path: Path, files: dict[str, str]) -> None:
    found = plan(tmp_path, {**RAILS, **files, "app/assets/app.css": "", "test/a_test.rb": "", "README.md": ""})
    assets = step(found, "assets")
    assert assets.output == "/app/public"
    assert assets.changed_only
    assert assets.after == ("gems",)
    assert assets.env["SECRET_KEY_BASE_DUMMY"] == "1"
    assert "app/assets/app.css" in assets.inputs
    assert not {"test/a_test.rb", "README.md"} & set(assets.inputs)
    assert "SECRET_KEY_BASE" not in "".join(found.env)


def test_an_exact_ruby_holds_for_the_assets_too(tmp_path: Path) -> None:
    files = {"Gemfile": f'ruby "3.3.1"\n{GEMFILE}', "Gemfile.lock": lock("puma", "railties", "propshaft")}
    assets = step(plan(tmp_path, {**RAILS, **files}), "assets")
    assert '# ruby "3.3.1"' in assets.files["/app/Gemfile"]
    assert "Gemfile" not in assets.inputs


def test_a_build_script_that_needs_node_is_told(tmp_path: Path) -> None:
    found = plan(tmp_path, {**RAILS, "package.json": '{"scripts": {"build": "esbuild"}}'})
    assert "this platform has no node" in found.warnings[0]
    assert plan(tmp_path, {"package.json": "[]"}).warnings == ()
    assert plan(tmp_path, {"package.json": "{"}).warnings == ()


def test_nothing_is_migrated(tmp_path: Path) -> None:
    found = plan(tmp_path, {**RAILS, "Gemfile.lock": lock("puma", "railties", "propshaft"), "db/schema.rb": ""})
    assert "migrate" not in " ".join((found.start, *(one.command for one in found.steps)))


# What failed steps mean


@pytest.mark.parametrize(
    ("printed", "message", "hint"),
    [
        ("Could not find gem 'rakc' in rubygems repository\nhttps://rubygems.org/ or", "gem rakc", "Correct its name"),
        ("locked to tilt (2.9.0) from\nx, that version can no longer be\nfound", "tilt 2.9.0", "update tilt"),
        ("the lockfile can't be updated\nbecause frozen mode is set", "does not fit the Gemfile", "bundle lock"),
        ("Your Ruby version is 3.3.8, but your Gemfile specified ~> 3.3.9", "asks for Ruby ~> 3.3.9", "~> 3.3.0"),
        ("Could not reach host index.rubygems.org. Check", "does not answer", "mirror"),
        ("magick.c:3:10: fatal error: MagickWand.h: No such file or directory", "header MagickWand.h", "apt:"),
        ("An error occurred while installing pg (1.5.9), and Bundler cannot", "gem pg 1.5.9", "apt:"),
    ],
)  # fmt: skip
def test_what_failed_steps_mean(printed: str, message: str, hint: str) -> None:
    known, found = next((one, found) for one in RUBY.failures if (found := re.search(one.match, printed)))
    words = {name: value or "" for name, value in found.groupdict().items()}
    assert message in re.sub(r"\{(\w+)\}", lambda name: words.get(name[1], name[0]), known.message)
    assert hint in re.sub(r"\{(\w+)\}", lambda name: words.get(name[1], name[0]), known.hint)
