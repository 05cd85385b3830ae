"""The java platform: what it makes of a tree."""

import re
import subprocess
from pathlib import Path

import pytest

from nucleo_cli.builder import platforms
from nucleo_cli.builder.source import read_source
from nucleo_cli.domain.build import Plan, Reason, Start
from nucleo_cli.errors import BuildFailed

JAVA = platforms.load("java")
MAIN = "package shop;\npublic class Main { public static void main(String[] args) {} }\n"


def pom(body: str = "", artifact: str = "shop") -> str:
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>shop</groupId><artifactId>{artifact}</artifactId><version>1</version>{body}</project>"
    )


def properties(**values: str) -> str:
    found = "".join(f"<{n.replace('_', '.')}>{v}</{n.replace('_', '.')}>" for n, v in values.items())
    return f"<properties>{found}</properties>"


def dependency(artifact: str, version: str = "1", scope: str = "") -> str:
    return (
        f"<dependency><groupId>shop</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
        f"<scope>{scope}</scope></dependency>"
    )


def plugin(artifact: str, configuration: str = "") -> str:
    return (
        f"<build><plugins><plugin><artifactId>{artifact}</artifactId>"
        f"<configuration>{configuration}</configuration></plugin></plugins></build>"
    )


def boot(version: str, **values: str) -> str:
    parent = "<groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-parent</artifactId>"
    return pom(f"<parent>{parent}<version>{version}</version></parent>" + properties(**values))


def wrapper(version: str, host: str = "https://services.gradle.org/distributions") -> str:
    return f"distributionUrl={host}/gradle-{version}-bin.zip\n".replace(":", "\\:")


MVNW = (
    "distributionUrl=https://repo.maven.apache.org/maven2/org/apache/maven/apache-maven/{0}/apache-maven-{0}-bin.zip\n"
)
WRAPPER = "gradle/wrapper/gradle-wrapper.properties"


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def plan(root: Path, files: dict[str, str], version: str | None = None, start: Start | None = None) -> Plan:
    write(root, files)
    return platforms.planner("java")(read_source(root), JAVA, version, start)


def plan_below(root: Path, folder: str, files: dict[str, str]) -> Plan:
    write(root, files)
    above = "/".join([".."] * (folder.count("/") + 1))
    return platforms.planner("java")(read_source(root / folder, above), JAVA, None, None)


def because(found: Plan, choice: str) -> str:
    return next(reason.because for reason in found.reasons if reason.choice.startswith(choice))


# Which Java


@pytest.mark.parametrize(
    ("files", "version", "reason"),
    [
        ({}, "25", "the platform's default"),
        ({".java-version": "17\n"}, "17", "from .java-version"),
        ({".java-version": "temurin-21.0.5+11\n"}, "21", "from .java-version"),
        ({".sdkmanrc": "# Enable auto-env\njava=21.0.5-tem\n"}, "21", "from .sdkmanrc"),
        ({".tool-versions": "maven 3.9.9\njava openjdk-17.0.2\n"}, "17", "from .tool-versions"),
        ({"system.properties": "maven.version=3.9\njava.runtime.version=21\n"}, "21", "from system.properties"),
        ({"system.properties": "maven.version=3.9\n"}, "25", "the platform's default"),
        ({".java-version": "21", "pom.xml": pom(properties(java_version="17"))}, "21", "from .java-version"),
        (
            {"pom.xml": pom(properties(maven_compiler_release="17"))},
            "25",
            "maven.compiler.release in pom.xml asks for 17, which the newest runs",
        ),
        (
            {"pom.xml": pom(properties(maven_compiler_target="1.8"))},
            "25",
            "maven.compiler.target in pom.xml asks for 8",
        ),
        (
            {"pom.xml": pom(properties(v="21") + plugin("maven-compiler-plugin", "<release>${v}</release>"))},
            "25",
            "release in pom.xml asks for 21",
        ),
        (
            {
                "pom.xml": pom(
                    plugin("maven-toolchains-plugin", "<toolchains><jdk><version>17</version></jdk></toolchains>")
                )
            },
            "17",
            "from the toolchain in pom.xml",
        ),
        ({"pom.xml": boot("4.1.2", java_version="17")}, "25", "java.version in pom.xml asks for 17"),
        (
            {"pom.xml": boot("3.4.1", java_version="17")},
            "21",
            "java.version in pom.xml asks for 17; Spring Boot 3.4.1 runs on 21 at most",
        ),
        (
            {"pom.xml": boot("2.5.0")},
            "17",
            "nothing asks for a version; Spring Boot 2.5.0 runs on 17 at most",
        ),
        (
            {
                "pom.xml": pom(
                    properties(l="1.18.30") + "<dependencies>" + dependency("lombok", "${l}") + "</dependencies>"
                )
            },
            "21",
            "nothing asks for a version; Lombok 1.18.30",
        ),
    ],
)
def test_the_version(tmp_path: Path, files: dict[str, str], version: str, reason: str) -> None:
    found = plan(tmp_path, {"pom.xml": pom(), **files})
    assert found.version == version
    assert because(found, f"java {version}").startswith(reason)


def test_nucleo_yml_decides_the_version(tmp_path: Path) -> None:
    found = plan(tmp_path, {"pom.xml": boot("3.4.1"), ".java-version": "21"}, version="17")
    assert found.reasons[0] == Reason("java 17", "from nucleo.yml")


@pytest.mark.parametrize(
    ("build", "gradle", "version", "reason"),
    [
        ("java { toolchain { languageVersion = JavaLanguageVersion.of(17) } }", "9.1", "17", "from the toolchain in"),
        ("kotlin { jvmToolchain(21) }", "9.1", "21", "from the toolchain in"),
        ("sourceCompatibility = '17'", "9.1", "25", "sourceCompatibility in build.gradle asks for 17"),
        (
            "sourceCompatibility = JavaVersion.VERSION_1_8",
            "9.2.1",
            "25",
            "sourceCompatibility in build.gradle asks for 8",
        ),
        ("sourceCompatibility = '17'", "8.14", "21", "sourceCompatibility in build.gradle asks for 17; Gradle 8.14"),
        ("", "7.6.4", "17", "nothing asks for a version; Gradle 7.6.4 runs on 17 at most"),
        ("// sourceCompatibility = '26'", "9.1", "25", "the platform's default"),
    ],
)
def test_the_version_of_gradle(tmp_path: Path, build: str, gradle: str, version: str, reason: str) -> None:
    found = plan(tmp_path, {"build.gradle": build, WRAPPER: wrapper(gradle)})
    assert found.version == version
    assert because(found, f"java {version}").startswith(reason)


@pytest.mark.parametrize(
    ("files", "version", "message", "hint"),
    [
        ({}, "24", r"nucleo\.yml asks for Java 24", r'25, 21, 17\. Java 25 runs what .*: platform: "java:25"'),
        ({".java-version": "11"}, None, r"\.java-version asks for Java 11", r"Java 17 runs what is built for 11"),
        ({".java-version": "graal"}, None, r"\.java-version says no Java version: graal", "21"),
        ({"pom.xml": pom(properties(java_version="26"))}, None, "java.version in pom.xml asks for Java 26", "It has: "),
        (
            {"pom.xml": boot("3.4.1", java_version="25")},
            None,
            "asks for 25, but Spring Boot 3.4.1",
            "Update Spring Boot",
        ),
    ],
)
def test_a_version_that_is_not_there(
    tmp_path: Path, files: dict[str, str], version: str | None, message: str, hint: str
) -> None:
    with pytest.raises(BuildFailed, match=message) as caught:
        plan(tmp_path, {"pom.xml": pom(), **files}, version=version)
    assert re.search(hint, caught.value.hint)


def test_a_gradle_too_old_for_every_java(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"Gradle 6\.8 runs on Java 16 at most, which this platform does not have"):
        plan(tmp_path, {"build.gradle": "", WRAPPER: wrapper("6.8")})


# Which build


def test_two_build_systems(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"Both pom\.xml and build\.gradle\.kts") as caught:
        plan(tmp_path, {"pom.xml": pom(), "build.gradle.kts": ""})
    assert "git rm build.gradle.kts" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "meant"), [("pom.xlm", "pom.xml"), ("Pom.xml", "pom.xml"), ("build.gradel", "build.gradle")]
)
def test_a_misspelled_build_file(tmp_path: Path, name: str, meant: str) -> None:
    with pytest.raises(BuildFailed, match=rf"There is {name}, but no {meant}") as caught:
        plan(tmp_path, {name: ""})
    assert f"git mv {name} {meant}" in caught.value.hint


def test_no_build_file(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"neither pom\.xml nor build\.gradle"):
        plan(tmp_path, {"Main.java": MAIN})


def test_a_mistake_in_a_pom_has_its_position(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"pom\.xml:3:3: is not valid XML: mismatched tag"):
        plan(tmp_path, {"pom.xml": "<project>\n<a>\n</b></project>"})


def test_gradle_without_a_wrapper(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="no wrapper that says which Gradle") as caught:
        plan(tmp_path, {"build.gradle": ""})
    assert caught.value.hint == "gradle wrapper && git add gradlew gradle/wrapper"


@pytest.mark.parametrize(
    ("file", "files"),
    [
        (".mvn/wrapper/maven-wrapper.properties", {"pom.xml": pom()}),
        (WRAPPER, {"build.gradle": ""}),
    ],
)
def test_a_wrapper_that_names_nothing(tmp_path: Path, file: str, files: dict[str, str]) -> None:
    with pytest.raises(BuildFailed, match=f"{file} names no distribution"):
        plan(tmp_path, {**files, file: "distributionUrl=https://example.com/tool.zip\n"})


@pytest.mark.parametrize(
    ("files", "tool", "reason", "command"),
    [
        ({}, "maven " + JAVA.tools["maven"], "the platform's", "; maven mvn package -Dmaven.test.skip=true; bash"),
        (
            {".mvn/wrapper/maven-wrapper.properties": MVNW.format(JAVA.tools["maven"])},
            "maven " + JAVA.tools["maven"],
            "from .mvn/wrapper/maven-wrapper.properties",
            "; maven mvn package",
        ),
        (
            {".mvn/wrapper/maven-wrapper.properties": MVNW.format("3.9.9") + "distributionSha256Sum=abc1\n"},
            "maven 3.9.9",
            "from .mvn",
            'apache-maven-3.9.9-bin.zip abc1; maven "$distribution"bin/mvn package',
        ),
        (
            {".mvn/wrapper/maven-wrapper.properties": MVNW.format("3.8.6")},
            "maven 3.8.6",
            "from .mvn",
            'flock 8; maven "$distribution"bin/mvn package',
        ),
        ({"settings.xml": "<settings/>"}, "maven", "the platform's", " --settings settings.xml"),
        (
            {"pom.xml": pom("<dependencies><dependency><type>test-jar</type></dependency></dependencies>")},
            "maven",
            "the platform's",
            "package -DskipTests",
        ),
        (
            {"pom.xml": pom("<dependencies>" + dependency("javalin") + "</dependencies>")},
            "maven",
            "the platform's",
            "copy-dependencies -DincludeScope=runtime",
        ),
    ],
)  # fmt: skip
def test_maven(tmp_path: Path, files: dict[str, str], tool: str, reason: str, command: str) -> None:
    found = plan(tmp_path, {"pom.xml": pom(), "src/main/java/shop/Main.java": MAIN, **files})
    assert because(found, tool).startswith(reason)
    assert command in found.steps[0].command


@pytest.mark.parametrize("packager", ["maven-shade-plugin", "spring-boot-maven-plugin", "quarkus-maven-plugin"])
def test_what_packs_its_libraries_itself(tmp_path: Path, packager: str) -> None:
    body = "<dependencies>" + dependency("javalin") + "</dependencies>" + plugin(packager)
    assert "copy-dependencies" not in plan(tmp_path, {"pom.xml": pom(body)}).steps[0].command


@pytest.mark.parametrize(
    ("build", "task"),
    [
        ("plugins {\n  id 'java'\n}", "assemble"),
        ("plugins {\n  id 'org.springframework.boot' version '4.1.2'\n}", "bootJar"),
        ('plugins {\n  id("org.springframework.boot") version "4.1.2"\n}', "bootJar"),
        ("plugins {\n  id 'application'\n}", "installDist"),
        ("plugins {\n  application\n}", "installDist"),
        ("apply plugin: 'application'", "installDist"),
        ("plugins {\n  id 'application'\n  id 'com.gradleup.shadow' version '9.0'\n}", "shadowJar"),
        ("plugins {\n  id 'io.quarkus'\n}", "quarkusBuild"),
        ("plugins {\n  id 'java'\n}\ntask stage(dependsOn: ['build'])", "stage"),
        ("/* id 'application' */\n// id 'io.quarkus'\n", "assemble"),
    ],
)
def test_gradle(tmp_path: Path, build: str, task: str) -> None:
    found = plan(tmp_path, {"build.gradle": build, WRAPPER: wrapper("9.1.0")})
    assert because(found, "gradle 9.1.0") == f"from {WRAPPER}"
    assert f'gradle "$distribution"bin/gradle {task};' in found.steps[0].command
    assert ("@/opt/app/jvm.args" in found.start) == (task == "installDist")


def test_a_mirror_of_gradle(tmp_path: Path) -> None:
    files = {"build.gradle": "", WRAPPER: wrapper("9.1.0", "https://mirror.example.com/gradle")}
    assert (
        "distribution https://mirror.example.com/gradle/gradle-9.1.0-bin.zip;" in plan(tmp_path, files).steps[0].command
    )


# Layers


def test_libraries_and_app_are_two_layers_of_one_build(tmp_path: Path) -> None:
    found = plan(tmp_path, {"pom.xml": pom(), "src/main/java/shop/Main.java": MAIN})
    build, app = found.steps
    assert (build.output, app.output, app.exclude) == ("/opt/app/lib", "/opt/app", ("/opt/app/lib",))
    assert app.after == (build.name,)
    assert build.inputs == app.inputs == ("pom.xml", "src/main/java/shop/Main.java")
    assert build.command in app.command
    assert build.command.endswith("/pack.sh . shop.Main")


def test_what_no_build_reads_is_no_input(tmp_path: Path) -> None:
    kept = {
        "pom.xml": pom(),
        ".mvn/jvm.config": "",
        "src/main/resources/help.md": "",
        "src/main/java/a/build/B.java": "",
    }
    left = {
        "README.md": "",
        "nucleo.yml": "",
        ".github/workflows/ci.yml": "",
        "src/test/java/a/ATest.java": "",
        "target/old.jar": "",
        "mvnw": "",
        "mvnw.cmd": "",
        ".gitignore": "",
    }
    assert set(plan(tmp_path, {**kept, **left}).steps[0].inputs) == set(kept)


def test_sources_are_not_in_the_image(tmp_path: Path) -> None:
    assert {"*.java", "pom.xml", "target/"} <= set(plan(tmp_path, {"pom.xml": pom()}).leave_out)


# Modules

MODULES = {
    "pom.xml": pom("<packaging>pom</packaging><modules><module>core</module><module>services/api</module>"
                   "<module>services/jobs</module></modules>" + properties(java_version="21"), "parent"),
    "core/pom.xml": pom("<parent><artifactId>parent</artifactId></parent>", "core"),
    "core/src/main/java/Core.java": "",
    "services/api/pom.xml": pom("<parent><artifactId>parent</artifactId></parent><dependencies>" + dependency("core")
                                + "</dependencies>" + plugin("maven-shade-plugin"), "api"),
    "services/api/src/main/java/shop/Main.java": MAIN,
    "services/jobs/pom.xml": pom("<parent><artifactId>parent</artifactId></parent>", "jobs"),
    "services/jobs/src/main/java/Jobs.java": "",
}  # fmt: skip


def test_a_module_is_built_with_those_it_needs(tmp_path: Path) -> None:
    found = plan_below(tmp_path, "services/api", MODULES)
    command = found.steps[0].command
    assert "; cd ../..; maven mvn package -Dmaven.test.skip=true --projects services/api --also-make; bash" in command
    assert command.endswith("/pack.sh services/api shop.Main")
    assert because(found, "java 25").startswith("java.version in pom.xml asks for 21")
    assert set(found.steps[0].inputs) == {
        "../../pom.xml",
        "../../core/pom.xml",
        "../../core/src/main/java/Core.java",
        "pom.xml",
        "src/main/java/shop/Main.java",
        "../jobs/pom.xml",
    }


def test_a_folder_that_no_parent_names_is_built_alone(tmp_path: Path) -> None:
    found = plan_below(
        tmp_path, "tools", {**MODULES, "tools/pom.xml": pom(), "tools/src/main/java/shop/Main.java": MAIN}
    )
    assert "cd " not in found.steps[0].command
    assert set(found.steps[0].inputs) == {"pom.xml", "src/main/java/shop/Main.java"}


def test_all_modules_are_built_without_a_build_root(tmp_path: Path) -> None:
    found = plan(tmp_path, MODULES)
    assert "--projects" not in found.steps[0].command
    assert "services/jobs/src/main/java/Jobs.java" in found.steps[0].inputs


def test_a_module_of_gradle(tmp_path: Path) -> None:
    files = {
        "settings.gradle": "include 'app', 'lib'",
        WRAPPER: wrapper("9.1.0"),
        "app/build.gradle": "plugins { id 'org.springframework.boot' version '4.1.2' }",
        "lib/build.gradle": "",
    }
    found = plan_below(tmp_path, "app", files)
    assert "; cd ..; distribution" in found.steps[0].command
    assert '"$distribution"bin/gradle :app:bootJar; bash' in found.steps[0].command
    assert "../lib/build.gradle" in found.steps[0].inputs


# Start


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (pom(), "java $JAVA_OPTS -jar"),
        (boot("4.1.2"), "java -Dserver.port=$PORT $JAVA_OPTS -jar"),
        (pom("<dependencies>" + dependency("a").replace("shop", "io.quarkus") + "</dependencies>"),
         "java -Dquarkus.http.host=0.0.0.0 -Dquarkus.http.port=$PORT $JAVA_OPTS -jar"),
        (pom("<dependencies>" + dependency("a").replace("shop", "io.micronaut") + "</dependencies>"),
         "java -Dmicronaut.server.host=0.0.0.0 -Dmicronaut.server.port=$PORT $JAVA_OPTS -jar"),
    ],
)  # fmt: skip
def test_the_framework_is_told_the_port(tmp_path: Path, text: str, options: str) -> None:
    assert plan(tmp_path, {"pom.xml": text}).start == f"{options} /opt/app/app.jar"


def test_a_start_command_of_the_app_wins(tmp_path: Path) -> None:
    found = plan(tmp_path, {"pom.xml": pom()}, start=Start("java -jar /opt/app/app.jar worker", "from nucleo.yml"))
    assert found.reasons[-1] == Reason("start: java -jar /opt/app/app.jar worker", "from nucleo.yml")
    assert len(found.steps) == 2


@pytest.mark.parametrize(
    "line",
    ["java $JAVA_OPTS -jar target/shop-1.jar", "java -cp target/classes:target/dependency/* shop.Main",
     "sh ./target/bin/webapp", "build/install/shop/bin/shop"],
)  # fmt: skip
def test_what_a_procfile_names_stays_where_the_build_leaves_it(tmp_path: Path, line: str) -> None:
    found = plan(tmp_path, {"pom.xml": pom()}, start=Start(line, "from Procfile"))
    (step,) = found.steps
    assert (step.output, step.changed_only) == ("/app", True)
    assert "target/" not in found.leave_out
    assert found.start == line


@pytest.mark.parametrize(
    ("files", "main"),
    [
        ({"src/main/java/shop/Main.java": MAIN}, "shop.Main"),
        ({"src/main/java/Hello.java": MAIN.replace("package shop;", "")}, "Hello"),
        ({"src/main/kotlin/shop/Web.kt": "package shop\n\nfun main() {\n}\n"}, "shop.WebKt"),
        ({"src/main/java/shop/Main.java": MAIN, "src/main/java/shop/Tool.java": MAIN}, "shop.Main"),
        ({"src/main/java/shop/Tool.java": MAIN, "src/main/java/shop/Other.java": MAIN}, ""),
        ({"src/test/java/shop/Main.java": MAIN}, ""),
        ({"pom.xml": pom(properties(exec_mainClass="a.B")), "src/main/java/shop/Main.java": MAIN}, "a.B"),
        ({"pom.xml": pom(plugin("maven-jar-plugin", "<archive><mainClass>a.C</mainClass></archive>"))}, "a.C"),
    ],
)  # fmt: skip
def test_the_main_class(tmp_path: Path, files: dict[str, str], main: str) -> None:
    found = plan(tmp_path, {"pom.xml": pom(), **files})
    assert found.steps[0].command.partition("pack.sh . ")[2] == main or (
        not main and found.steps[0].command.endswith(".")
    )


# The heap


@pytest.mark.parametrize(
    ("limit", "options", "arguments", "expected"),
    [
        (512 << 20, "", "-jar app.jar", "-XX:+ExitOnOutOfMemoryError -Xmx300m -Xss512k -jar app.jar"),
        (256 << 20, "", "-jar app.jar", "-XX:+ExitOnOutOfMemoryError -Xmx150m -Xss512k -jar app.jar"),
        (1 << 30, "", "-jar app.jar", "-XX:+ExitOnOutOfMemoryError -Xmx671m -jar app.jar"),
        (4 << 30, "", "-jar app.jar", "-XX:+ExitOnOutOfMemoryError -XX:MaxRAMPercentage=80 -jar app.jar"),
        ("max", "", "-jar app.jar", "-XX:+ExitOnOutOfMemoryError -jar app.jar"),
        (0x7FFFFFFFFFFFF000, "", "-jar app.jar", "-XX:+ExitOnOutOfMemoryError -jar app.jar"),
        (512 << 20, "", "-Xmx100m -jar app.jar", "-Xmx100m -jar app.jar"),
        (512 << 20, "-XX:MaxRAMPercentage=50", "-jar app.jar", "-jar app.jar"),
    ],
)
def test_the_heap_fits_the_pod(tmp_path: Path, limit: int | str, options: str, arguments: str, expected: str) -> None:
    launcher = JAVA.setup.partition("<<'END'\n")[2].partition("\nEND\n")[0]
    (tmp_path / "limit").write_text(f"{limit}\n")
    (tmp_path / "jvm").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "jvm").chmod(0o755)
    launcher = launcher.replace("/sys/fs/cgroup/memory.max", f"{tmp_path}/limit")
    (tmp_path / "java").write_text(launcher.replace("/opt/java/bin/jvm", f"{tmp_path}/jvm"))
    printed = subprocess.run(
        ["sh", str(tmp_path / "java"), *arguments.split()],
        env={"JAVA_TOOL_OPTIONS": options, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.strip() == expected


# What failed


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nucleo: several-apps: ./a.jar ./b.jar", "More than one thing in the build can be started: {jars}"),
        ("nucleo: no-main-class: ./a.jar", "No jar of the build names a main class: {jars}"),
        ("Could not find artifact com.acme:nothing:jar:1.0 in central (https://x)", "There is no {artifact} in"),
        ("> Could not find com.acme:nothing:1.0.", "There is no {artifact} in"),
        ("Could not transfer artifact a:b:pom:1 from/to central (https://x): status code: 401, reason", "refuses"),
        ("PKIX path building failed: sun.security", "is not trusted"),
        ("Could not transfer artifact a:b:pom:1 from/to central: Connection refused", "does not answer"),
        ("error: release version 27 not supported", "a newer Java"),
        ("[ERROR] COMPILATION ERROR :", "does not compile"),
    ],
)
def test_what_a_failed_step_means(line: str, message: str) -> None:
    known = next(failure for failure in JAVA.failures if re.search(failure.match, line))
    assert message in known.message
