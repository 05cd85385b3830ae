"""Small grammar for messages."""


def plural(count: int, word: str) -> str:
    """`1 pod`, `2 pods`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
