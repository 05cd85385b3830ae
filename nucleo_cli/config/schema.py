"""The JSON Schema of nucleo.yml, made from the model: for editors, which complete and check while one types."""

import json
from typing import Any

from nucleo_cli.config.model import NUCLEO_YML

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema as draft 2020-12.

    It is a little stricter than Nucleo in one thing: a key must be written with `_`, so that editors complete one
    spelling of it.
    """
    body = NUCLEO_YML.schema()
    properties = body["properties"]
    overlay = properties["environments"]["additionalProperties"]["properties"]
    for key in overlay.keys() & properties.keys():
        overlay[key] = {"$ref": f"#/properties/{key}"}
    return {
        "$schema": DRAFT,
        "title": "nucleo.yml",
        "description": "What Nucleo deploys: one app. `nucleo validate --schema` prints this schema.",
        **body,
        "type": "object",
        "required": ["platform"],
    }


def text() -> str:
    """The schema as it is shipped and printed, without a newline at its end."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False)
