"""The cluster's API with other settings in it: Nucleo pushes where its bytes are counted, and the cluster's own
settings stay as they are for everybody else who uses it meanwhile."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.api import Api

_SETTINGS = "/api/v1/namespaces/nucleo-system/configmaps/nucleo"
CONTEXT = "nucleo-bench"


class Front:
    """Listens on a free port of 127.0.0.1 until its `with` block ends, and hands every GET on to the cluster."""

    def __init__(self, api: Api) -> None:
        self.settings: dict[str, str] = {}
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                found = api.get(self.path)
                if self.path.partition("?")[0] == _SETTINGS:
                    found["data"] |= front.settings
                body = json.dumps(found or {"kind": "Status", "code": 404}).encode()
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> "Front":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def kubeconfig(self, file: Path) -> Path:
        """Writes a kubeconfig whose only context leads here."""
        server = f"http://127.0.0.1:{self._server.server_address[1]}"
        document: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": CONTEXT,
            "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
            "clusters": [{"name": CONTEXT, "cluster": {"server": server}}],
            "users": [{"name": CONTEXT, "user": {}}],
        }
        file.write_text(yaml.safe_dump(document))
        return file
