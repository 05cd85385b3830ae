import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nucleo_cli.adapters.certificates import expiry

OPENSSL = shutil.which("openssl") or "openssl"


@pytest.mark.parametrize("until", ["20301231235959Z", "20600101000000Z"])
def test_the_end_of_a_certificate(tmp_path: Path, until: str) -> None:
    """Before and after 2050 the time is written in another form."""
    files = {"-keyout": "key", "-out": "cert"}
    command = [
        OPENSSL,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=a",
    ]
    days = (datetime.strptime(until, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC) - datetime.now(UTC)).days
    command += ["-days", str(days)]
    for option, name in files.items():
        command += [option, str(tmp_path / name)]
    subprocess.run(command, check=True, capture_output=True)
    said = subprocess.run(
        [OPENSSL, "x509", "-enddate", "-noout", "-in", str(tmp_path / "cert")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    expected = datetime.strptime(said.strip(), "notAfter=%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    assert expiry((tmp_path / "cert").read_text()) == expected


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        expiry(text)
