"""values.schema.json, values.yaml and the types say the same."""

import json
from typing import Any, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

import pytest
import yaml

from nucleo_cli import assets
from nucleo_cli.charts import shape

CHART = assets.folder("chart_templates") / "app"
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())

# Helm adds it to the values of every chart.
NOT_OURS = {"global"}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return SCHEMA["$defs"][reference.rpartition("/")[2]] if reference else schema


def differences(kind: Any, schema: dict[str, Any], at: str) -> list[str]:
    """Where a type and a schema do not agree."""
    schema = resolved(schema)
    if get_origin(kind) is NotRequired:
        return differences(get_args(kind)[0], schema, at)
    if kind is Any:
        return [f"{at}: anything is not {schema}"] if schema else []
    if is_typeddict(kind):
        return record_differences(kind, schema, at)
    if get_origin(kind) is dict:
        return differences(get_args(kind)[1], schema.get("additionalProperties") or {}, f"{at}.*")
    if get_origin(kind) is list:
        return differences(get_args(kind)[0], schema.get("items") or {}, f"{at}[]")
    if "enum" in schema:
        return [] if set(get_args(kind)) == set(schema["enum"]) else [f"{at}: {kind} is not {schema['enum']}"]
    names = {str: "string", int: "integer", bool: "boolean"}
    return [] if schema.get("type") == names[kind] else [f"{at}: {kind} is not {schema.get('type')}"]


def record_differences(kind: Any, schema: dict[str, Any], at: str) -> list[str]:
    fields = get_type_hints(kind, include_extras=True)
    properties: dict[str, Any] = schema["properties"]
    found = [f"{at}.{name}: only in one of the two" for name in fields.keys() ^ properties.keys() - NOT_OURS]
    found += [f"{at}: takes other keys"] if schema["additionalProperties"] is not False else []
    found += [f"{at}.{name}: not always there" for name in set(schema.get("required", ())) - kind.__required_keys__]
    for name in fields.keys() & properties.keys():
        found += differences(fields[name], properties[name], f"{at}.{name}")
    return found


def test_the_schema_is_the_types_twin() -> None:
    assert differences(shape.Values, SCHEMA, "values") == []


def test_the_comparison_sees_a_difference() -> None:
    changed = json.loads(json.dumps(SCHEMA))
    changed["properties"]["readOnlyRoot"]["type"] = "string"
    changed["properties"]["image"]["properties"]["tag"] = {"type": "string"}
    del changed["properties"]["kernel"]
    assert sorted(differences(shape.Values, changed, "values")) == [
        "values.image.tag: only in one of the two",
        "values.kernel: only in one of the two",
        "values.readOnlyRoot: <class 'bool'> is not string",
    ]


def test_the_defaults_name_every_value() -> None:
    defaults: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(defaults) == set(get_type_hints(shape.Values))


@pytest.mark.parametrize("name", sorted(get_type_hints(shape.ProcessValues)))
def test_every_value_of_a_process_is_described(name: str) -> None:
    assert f"#   {name}: " in (CHART / "values.yaml").read_text()


def test_no_template_treats_a_value_as_a_template() -> None:
    for template in (CHART / "templates").iterdir():
        assert "tpl " not in template.read_text()
