"""What of a machine reaches a build."""

from pathlib import Path

from nucleo_cli.builder import host, platforms
from nucleo_cli.builder.host import Host

PYTHON = platforms.load("python")


def read(home: Path, **environ: str) -> Host:
    return host.read(PYTHON, environ=environ, home=home)


def test_proxies_have_both_cases(tmp_path: Path) -> None:
    found = read(tmp_path, https_proxy="http://proxy:3128", NO_PROXY="localhost").env
    assert found["HTTPS_PROXY"] == found["https_proxy"] == "http://proxy:3128"
    assert found["NO_PROXY"] == found["no_proxy"] == "localhost"


def test_the_machines_certificates_are_copied_and_named(tmp_path: Path) -> None:
    bundle = tmp_path / "company.pem"
    bundle.write_text("certificate")
    found = read(tmp_path, SSL_CERT_FILE=str(bundle))
    assert found.files["ca.crt"] == b"certificate"
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"):
        assert found.env[name] == "/run/nucleo/ca.crt"
    assert found.env["NODE_EXTRA_CA_CERTS"] == "/run/nucleo/ca.crt"


def test_only_named_variables_reach_the_build(tmp_path: Path) -> None:
    found = read(tmp_path, PIP_FIND_LINKS="/opt/wheels", AWS_SECRET_ACCESS_KEY="s", UV_INDEX_COMPANY_PASSWORD="p").env
    assert "PIP_FIND_LINKS" not in found
    assert "AWS_SECRET_ACCESS_KEY" not in found
    assert found["UV_INDEX_COMPANY_PASSWORD"] == "p"


def test_pips_settings_are_given_to_uv(tmp_path: Path) -> None:
    (tmp_path / ".config" / "pip").mkdir(parents=True)
    (tmp_path / ".config" / "pip" / "pip.conf").write_text(
        "[global]\nindex-url = https://u:p@pypi.corp/simple\nextra-index-url =\n  https://a/simple\n  https://b/simple\n"
    )
    found = read(tmp_path).env
    assert found["UV_DEFAULT_INDEX"] == found["PIP_INDEX_URL"] == "https://u:p@pypi.corp/simple"
    assert found["UV_INDEX"] == "https://a/simple https://b/simple"


def test_the_environment_wins_over_files(tmp_path: Path) -> None:
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip" / "pip.conf").write_text("[global]\nindex-url = https://file/simple\n")
    found = read(tmp_path, PIP_INDEX_URL="https://variable/simple", UV_DEFAULT_INDEX="https://uv/simple").env
    assert found["PIP_INDEX_URL"] == "https://variable/simple"
    assert found["UV_DEFAULT_INDEX"] == "https://uv/simple"


def test_a_broken_pip_conf_is_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("index-url = without a section\n")
    assert "PIP_INDEX_URL" not in read(tmp_path, PIP_CONFIG_FILE=str(tmp_path / "pip.conf")).env


def test_netrc_and_the_settings_of_uv_come_as_files(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine pypi.corp login u password p\n")
    (tmp_path / ".config" / "uv").mkdir(parents=True)
    (tmp_path / ".config" / "uv" / "uv.toml").write_text("[pip]\n")
    found = read(tmp_path)
    assert found.env["NETRC"] == "/run/nucleo/netrc"
    assert found.env["XDG_CONFIG_HOME"] == "/run/nucleo/config"
    assert found.files["netrc"] == b"machine pypi.corp login u password p\n"
    assert found.files["config/uv/uv.toml"] == b"[pip]\n"


def test_the_indexes_of_a_step_key_hold_no_password() -> None:
    env = {"UV_DEFAULT_INDEX": "https://user:secret@pypi.corp/simple", "HTTPS_PROXY": "http://u:p@proxy"}
    assert Host(env).indexes() == {"UV_DEFAULT_INDEX": "https://pypi.corp/simple"}


def test_a_proxy_on_this_machine_needs_its_network() -> None:
    assert Host({"HTTPS_PROXY": "http://127.0.0.1:3128"}).needs_loopback
    assert Host({"UV_DEFAULT_INDEX": "http://u:p@localhost:8080/simple"}).needs_loopback
    assert not Host({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "127.0.0.1"}).needs_loopback
