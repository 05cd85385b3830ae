"""Adding rules to a nucleo.yml as somebody has written it: comments, order and style stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import yaml

from nucleo_cli.config.nodes import matched
from nucleo_cli.domain.network import Direction

NETWORK = "network"


def with_rules(text: str, additions: Mapping[Direction, Sequence[str]], environment: str | None = None) -> str:
    """The text with rules added to `network.from` and `network.to`, or to the environment's own where it has them."""
    for key, rules in additions.items():
        if rules:
            text = _with(text, key, rules, environment)
    return text


def _with(text: str, key: str, rules: Sequence[str], environment: str | None) -> str:
    root = yaml.compose(text, yaml.SafeLoader)
    written = ", ".join(f'"{rule}"' for rule in rules)
    overlay = _find(root, "environments", environment, NETWORK) if environment else None
    network = overlay if _find(overlay, key) is not None else _find(root, NETWORK)
    if network is None:
        return f"{text.rstrip()}\n\n{NETWORK}:\n  {key}: [{written}]\n"
    found = _find(network, key)
    if isinstance(found, yaml.SequenceNode):
        return _longer(text, found, rules, written)
    return _with_key(text, cast(yaml.MappingNode, network), f"{key}: [{written}]")


def _longer(text: str, found: yaml.SequenceNode, rules: Sequence[str], written: str) -> str:
    if found.flow_style:
        at = found.end_mark.index - 1
        before = text[:at].rstrip()
        comma = "" if not found.value else " " if before.endswith(",") else ", "
        return before + comma + written + text[at:]
    last = found.value[-1]
    at = _line_end(text, last.end_mark.index)
    indent = " " * found.start_mark.column
    return text[:at] + "".join(f'\n{indent}- "{rule}"' for rule in rules) + text[at:]


def _with_key(text: str, network: yaml.MappingNode, line: str) -> str:
    if network.flow_style:
        at = network.end_mark.index - 1
        return text[:at].rstrip() + (", " if network.value else "") + line + text[at:]
    first = network.value[0][0].start_mark
    indent = " " * first.column
    return text[: first.index] + f"{line}\n{indent}" + text[first.index :]


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _find(node: yaml.Node | None, *path: str) -> yaml.Node | None:
    """What is at the path, keys matched; None where there is nothing, or an empty value."""
    for key in path:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for name, value in node.value if matched(str(name.value)) == key), None)
    return None if isinstance(node, yaml.ScalarNode) else node
