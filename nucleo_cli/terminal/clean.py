"""The one choke point between foreign text (log lines, build output, API messages) and a person's terminal."""

import re

# Whole escape sequences first (OSC and DCS up to their terminator, CSI, two-character escapes), then what is left of
# the C0 and C1 controls (tab stays), and the bidirectional overrides that make text read otherwise than it is.
_SEQUENCES = re.compile(
    r"\x1b[\]PX^_].*?(?:\x1b\\|\x07|\x9c|$)"
    r"|[\x9d\x90\x98\x9e\x9f].*?(?:\x9c|\x07|$)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


def clean(text: str) -> str:
    """One line without control characters, escape sequences or bidirectional overrides.

    ECMA-48 section 8.3 for the sequences; "Trojan Source" (CVE-2021-42574) for the overrides.
    """
    return _CONTROLS.sub("", _SEQUENCES.sub("", text))
