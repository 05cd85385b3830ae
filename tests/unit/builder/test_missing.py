"""From what tools print to the `apt:` line. Each text is a real tool's."""

import re
from typing import Any, cast

import pytest
import yaml

from nucleo_cli.builder import missing

SAID: dict[str, tuple[str, list[str]]] = {
    "gcc": ("      src/db.c:1:10: fatal error: libpq-fe.h: No such file or directory", ["libpq-dev"]),
    "gcc, a folder": ("/tmp/x.c:9:10: fatal error: openssl/x509v3.h: No such file or directory", ["libssl-dev"]),
    "g++, no suffix": ("../src/common.h:26:10: fatal error: vips/vips8: No such file or directory", ["libvips-dev"]),
    "clang": ("wrapper.h:1:10: fatal error: 'sqlite3.h' file not found", ["libsqlite3-dev"]),
    "ld": ("/usr/bin/ld: cannot find -lxml2: No such file or directory", ["libxml2-dev"]),
    "ld of bookworm": ("/usr/bin/ld: cannot find -lz", ["zlib1g-dev"]),
    "lld": ("rust-lld: error: unable to find library -lpq", ["libpq-dev"]),
    "pkg-config": ("Package libffi was not found in the pkg-config search path.", ["libffi-dev"]),
    "pkgconf": ("Package 'cairo', required by 'virtual:world', not found", ["libcairo2-dev"]),
    "pkg-config, a script": ("No package 'libxml-2.0' found", ["libxml2-dev"]),
    "go, cgo": ("Package 'vips', required by 'virtual:world', not found", ["libvips-dev"]),
    "go, compiler": (
        'cgo: C compiler "gcc" not found: exec: "gcc": executable file not found in $PATH',
        ["build-essential"],
    ),
    "go, git": ('go: github.com/x/y@v1: exec: "git": executable file not found in $PATH', ["git"]),
    "dash": ("/bin/sh: 1: gcc: not found", ["build-essential"]),
    "bash": ("/bin/bash: line 3: cmake: command not found", ["cmake"]),
    "make": ("make: protoc: No such file or directory", ["protobuf-compiler"]),
    "make, inner": ("make[2]: bison: No such file or directory", ["bison"]),
    "env": ("/usr/bin/env: 'perl': No such file or directory", ["perl"]),
    "setuptools": ("error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory", ["build-essential"]),
    "setuptools, old": ("unable to execute 'gcc': No such file or directory", ["build-essential"]),
    "python": ("FileNotFoundError: [Errno 2] No such file or directory: 'gdal-config'", ["libgdal-dev"]),
    "psycopg2": ("Error: pg_config executable not found.", ["libpq-dev"]),
    "mysqlclient, old": ("OSError: mysql_config not found", ["libmariadb-dev"]),
    "mysqlclient": (
        "Trying pkg-config --exists mysqlclient\n"
        "Exception: Can not find valid pkg-config name.\n"
        "Specify MYSQLCLIENT_CFLAGS and MYSQLCLIENT_LDFLAGS env vars manually",
        ["libmariadb-dev"],
    ),
    "lxml": (
        "Error: Please make sure the libxml2 and libxslt development packages are installed.",
        ["libxml2-dev", "libxslt1-dev"],
    ),
    "pillow": ("The headers or library files could not be found for jpeg,", ["libjpeg-dev"]),
    "pillow, zlib": ("The headers or library files could not be found for zlib,", ["zlib1g-dev"]),
    "cryptography": ("error: can't find Rust compiler", ["cargo"]),
    "meson": ("../meson.build:41:12: ERROR: Dependency 'x'", []),
    "meson, dependency": (
        '../scipy/meson.build:216:9: ERROR: Dependency "OpenBLAS" not found, tried pkgconfig and cmake',
        ["libopenblas-dev"],
    ),
    "meson, compiler": (
        "../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc'], ['clang']]",
        ["build-essential"],
    ),
    "pip, git": (
        "ERROR: Cannot find command 'git' - do you have 'git' installed and in your PATH?",
        ["git"],
    ),
    "uv, git": ("  ╰─▶ Git executable not found. Ensure that Git is installed and available.", ["git"]),
    "magic": ("ImportError: failed to find libmagic.  Check your installation", ["libmagic1t64"]),
    "cairocffi": ('OSError: no library called "cairo-2" was found', ["libcairo2"]),
    "weasyprint": (
        "OSError: cannot load library 'pango-1.0-0': pango-1.0-0: cannot open shared object file",
        ["libpango-1.0-0"],
    ),
    "opencv": (
        "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
        ["libgl1"],
    ),
    "puppeteer": (
        "chrome: error while loading shared libraries: libnss3.so: cannot open shared object file: No such file",
        ["libnss3"],
    ),
    "django": ("Could not find the GDAL library (tried ...). Is GDAL installed?", ["libgdal-dev"]),
    "cmake": (
        "CMake Error at /usr/share/cmake/Modules/FindPackageHandleStandardArgs.cmake:230 (message):\n"
        "  Could NOT find OpenSSL, try to set the path to OpenSSL root folder in the",
        ["libssl-dev"],
    ),
    "cmake, zlib": ("  Could NOT find ZLIB (missing: ZLIB_LIBRARY ZLIB_INCLUDE_DIR)", ["zlib1g-dev"]),
    "cmake, compiler": ("  No CMAKE_CXX_COMPILER could be found.", ["build-essential"]),
    "configure": ("configure: error: no acceptable C compiler found in $PATH", ["build-essential"]),
    "node-gyp": ("gyp ERR! stack Error: not found: make", ["build-essential"]),
    "node-gyp, python": ("gyp ERR! find Python Could not find any Python installation to use", ["python3"]),
    "canvas": ("npm error Package pixman-1 was not found in the pkg-config search path.", ["libpixman-1-dev"]),
    "npm": ("npm error enoent An unknown git error occurred: spawn git ENOENT", ["git"]),
    "mkmf": (
        "mkmf.rb can't find header files for ruby at /usr/lib/ruby/include/ruby.h",
        ["ruby-dev"],
    ),
    "mkmf, compiler": ("You have to install development tools first.", ["build-essential"]),
    "gem, make": ("No such file or directory - make (Errno::ENOENT)", ["build-essential"]),
    "pg": ("Can't find the 'libpq-fe.h header", ["libpq-dev"]),
    "pg, new": ("Unable to find PostgreSQL client library.", ["libpq-dev"]),
    "mysql2": (
        "mysql client is missing. You may need to 'sudo apt-get install libmariadb-dev', and try again.",
        ["libmariadb-dev"],
    ),
    "nokogiri": (
        "libxml2 is missing. Please locate mkmf.log to investigate how it is failing.",
        ["libxml2-dev"],
    ),
    "ffi": ("ffi.h is missing. Please install libffi development files.", ["libffi-dev"]),
    "psych": ("yaml.h not found", ["libyaml-dev"]),
    "rmagick": (
        "Can't install RMagick 6.0.1. Can't find MagickWand with pkg-config",
        ["libmagickwand-dev"],
    ),
    "bundler": ("You need to install git to be able to use gems from git repositories.", ["git"]),
    "rustc": ("error: linker `cc` not found", ["build-essential"]),
    "cc-rs": (
        'error occurred in cc-rs: failed to find tool "x86_64-linux-gnu-gcc": No such file or directory',
        ["build-essential"],
    ),
    "cmake-rs": ("is `cmake` not installed?", ["cmake"]),
    "openssl-sys": (
        "Could not find directory of OpenSSL installation, and this `-sys` crate cannot proceed",
        ["libssl-dev"],
    ),
    "openssl-sys, both": (
        "Could not find directory of OpenSSL installation, and this `-sys` crate cannot\n"
        "the `pkg-config` utility to find OpenSSL but unfortunately `pkg-config` could not be found.",
        ["libssl-dev", "pkg-config"],
    ),
    "pkg-config crate": (
        "The system library `libpq` required by crate `pq-sys` was not found.",
        ["libpq-dev"],
    ),
    "pkg-config crate, no program": ("The pkg-config command could not be found.", ["pkg-config"]),
    "prost": (
        'Error: Custom { kind: NotFound, error: "Could not find `protoc`. If `protoc` is installed, try setting',
        ["protobuf-compiler"],
    ),
    "bindgen": (
        "Unable to find libclang: \"couldn't find any valid shared libraries matching: ['libclang.so', 'libclang-*.so'",
        ["libclang-dev"],
    ),
    "composer": (
        "  - Root composer.json requires PHP extension ext-intl * but it is missing from your system.",
        ["php-intl"],
    ),
    "composer, a package": (
        "    - phpoffice/phpspreadsheet 1.29.0 requires ext-gd * -> it is missing from your system. Install or enable",
        ["php-gd"],
    ),
    "composer, pdo": (
        "    - Root composer.json requires PHP extension ext-pdo_mysql * but it is missing from your system.",
        ["php-mysql"],
    ),
    "composer, unzip": (
        "The zip extension and unzip/7z commands are both missing, skipping.",
        ["unzip"],
    ),
    "composer, git": ("git was not found in your PATH, skipping source download", ["git"]),
}


@pytest.mark.parametrize(("printed", "packages"), SAID.values(), ids=SAID)
def test_what_tools_say(printed: str, packages: list[str]) -> None:
    found = missing.find(printed.split("\n"))
    assert list(found.packages if found else ()) == packages


def test_the_hint_is_the_line_of_nucleo_yml() -> None:
    found = missing.find(["x.c:1:10: fatal error: mysql.h: No such file", "x.c:2:10: fatal error: ffi.h: No such file"])
    assert found is not None
    assert found.things == ("mysql.h", "ffi.h")
    assert found.hint == "Add to nucleo.yml:  apt: [libmariadb-dev, libffi-dev]"


def test_a_suite_may_have_another_name() -> None:
    line = "libasound.so.2: cannot open shared object file: No such file or directory"
    names = [found.packages if (found := missing.find([line], suite)) else () for suite in ("bookworm", "trixie")]
    assert names == [("libasound2",), ("libasound2t64",)]


@pytest.mark.parametrize(
    ("printed", "file"),
    [
        ("x.c:1:10: fatal error: strange.h: No such file or directory", "strange.h"),
        ("/usr/bin/ld: cannot find -lstrange: No such file or directory", "libstrange.so"),
        ("Package strange-2 was not found in the pkg-config search path.", "strange-2.pc"),
        ("libstrange.so.7: cannot open shared object file: No such file or directory", "libstrange.so.7"),
    ],
)
def test_what_the_table_does_not_know_can_be_looked_up(printed: str, file: str) -> None:
    found = missing.find([printed], "bookworm")
    assert found is not None
    assert f"suite=bookworm&keywords={file})" in found.hint
    assert "apt: [PACKAGE]" in found.hint


@pytest.mark.parametrize(
    "printed",
    [
        "",
        "error: Failed to fetch: `https://pypi.org/simple/x/`",
        "sh: 1: vite: not found",
        "ModuleNotFoundError: No module named 'flask'",
        "checking for strange.h... no",
        "FileNotFoundError: [Errno 2] No such file or directory: 'README.md'",
        "npm error 404 Not Found - GET https://registry.npmjs.org/nothing - Not found",
        "A" * 100_000,
    ],
)
def test_other_failures_are_left_to_others(printed: str) -> None:
    assert missing.find([printed]) is None


@pytest.mark.parametrize(
    ("printed", "packages"),
    [
        ("checking for sqlite3.h... no", ["libsqlite3-dev"]),
        ("checking for main() in -lcurl... no", ["libcurl4-openssl-dev"]),
        ("checking for libffi... no", ["libffi-dev"]),
        ("-- Could NOT find CURL (missing: CURL_LIBRARY)", ["libcurl4-openssl-dev"]),
        ("checking for strange.h... no", []),
    ],
)
def test_what_configure_scripts_look_for_is_a_guess(printed: str, packages: list[str]) -> None:
    found = missing.guess([printed])
    assert missing.find([printed]) is None
    assert list(found.packages if found else ()) == packages


def test_no_thing_stands_twice_in_the_table() -> None:
    things: list[tuple[str, str]] = []
    document: dict[str, dict[str, Any]] = yaml.safe_load(missing.TABLE.read_text("utf-8"))
    for package, kinds in document.items():
        assert re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", package)
        assert set(kinds) <= {"headers", "pc", "libs", "programs", "loaded", "extensions", "bookworm", "trixie"}
        lists = {kind: cast("list[str]", names) for kind, names in kinds.items() if isinstance(names, list)}
        things += [(kind, name) for kind, names in lists.items() for name in names]
    assert len(things) == len(set(things))
