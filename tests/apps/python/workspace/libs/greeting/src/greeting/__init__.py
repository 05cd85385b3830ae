def text() -> str:
    return "Hello from a workspace"
