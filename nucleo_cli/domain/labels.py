"""The labels by which an app's objects are found, and the selectors made of them."""

APP = "nucleo.io/app"
PROCESS = "nucleo.io/process"
RUN = "nucleo.io/run"


def of_app(app: str) -> str:
    """Everything of the app, one-off commands too."""
    return f"{APP}={app}"


def of_processes(app: str, process: str | None = None) -> str:
    """What belongs to the app's processes, or to one of them; no one-off commands."""
    return f"{APP}={app},{PROCESS}={process}" if process else f"{APP}={app},{PROCESS}"
