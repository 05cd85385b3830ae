"""The composition root: builds each part when a command first asks for it."""

import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nucleo_cli.domain.app import App, Target
from nucleo_cli.errors import ConfigInvalid, NotFound, UsageError
from nucleo_cli.terminal.terminal import Terminal

if TYPE_CHECKING:
    from nucleo_cli.adapters.docker import Engine
    from nucleo_cli.adapters.helm import Helm
    from nucleo_cli.adapters.kubernetes import Cluster
    from nucleo_cli.adapters.registry import Registry
    from nucleo_cli.domain.settings import Settings
    from nucleo_cli.workflows.tools import Tools


@dataclass(frozen=True, slots=True)
class Options:
    """The options that every command takes."""

    directory: Path = field(default_factory=Path)
    environment: str | None = None
    app: str | None = None
    json: bool = False
    quiet: bool = False
    color: bool = True
    input: bool = True
    timeout: float | None = None


class Context:
    """What a command works with. Nothing here is imported or connected before it is used."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.current: Context | None = None

    def configured(self, options: Options) -> "Context":
        """The same composition for other options."""
        return type(self)(options)

    def move_to(self, directory: Path | None) -> None:
        """Take another folder as the app's, where a command names one. Raises UsageError where -C does so too."""
        if directory is None:
            return
        if self.options.directory != Path():
            raise UsageError(
                f'the app\'s folder is given twice: "{directory}" and -C "{self.options.directory}"',
                "leave one of them out",
            )
        self.options = replace(self.options, directory=directory)

    @cached_property
    def terminal(self) -> Terminal:
        chosen = self.options
        return Terminal(machine=chosen.json, quiet=chosen.quiet, color=chosen.color, input=chosen.input)

    @cached_property
    def app(self) -> App:
        """The app of the directory's nucleo.yml, with the environment laid over it."""
        from nucleo_cli.config import load

        app = load(self.options.directory, self.options.environment)
        if self.options.app not in (None, app.name):
            raise UsageError(
                f'nucleo.yml in {self.options.directory} is about "{app.name}", not "{self.options.app}"',
                "leave --app out, or choose the app's own directory with -C",
            )
        return app

    @cached_property
    def target(self) -> Target:
        """Where a command acts: the app named by --app, else that of nucleo.yml."""
        if self.options.app and not self._is_here(self.options.app):
            return Target.named(self.options.app, self.options.environment)
        return self.app.target

    def _is_here(self, app: str) -> bool:
        """Whether the directory's nucleo.yml is about `app`; one that cannot be read says nothing about it."""
        from nucleo_cli.config import load

        try:
            return (self.options.directory / "nucleo.yml").is_file() and load(self.options.directory, None).name == app
        except ConfigInvalid:
            return False

    @cached_property
    def cluster(self) -> "Cluster":
        from nucleo_cli.adapters.kubernetes import Cluster

        return Cluster(self.cluster_context)

    @cached_property
    def cluster_context(self) -> str:
        """The kubeconfig context to act on: pinned by the environment, NUCLEO_CLUSTER, chosen, or the only one.

        Never the kubeconfig's current context, which other tools move.
        """
        named = os.environ.get("NUCLEO_CLUSTER") or None
        pinned = self._pinned_cluster()
        if pinned and named and pinned != named:
            raise UsageError(
                f'environment "{self.options.environment}" belongs on "{pinned}", NUCLEO_CLUSTER says "{named}"',
                "unset NUCLEO_CLUSTER, or choose another environment with --env",
            )
        return pinned or named or self._chosen_cluster()

    @cached_property
    def engine(self) -> "Engine":
        from nucleo_cli.adapters.docker import Engine

        engine = Engine()
        engine.ping()
        return engine

    @cached_property
    def helm(self) -> "Helm":
        from nucleo_cli.adapters.helm import Helm, find

        return Helm(find(), self.cluster_context)

    @cached_property
    def tools(self) -> "Tools":
        """What workflows that change the cluster work with."""
        from nucleo_cli.workflows.tools import Tools

        return Tools(self.cluster, lambda: self.helm, lambda: self.engine, self.registry)

    def registry(self, settings: "Settings") -> "Registry":
        """The cluster's registry, as this machine reaches it."""
        from nucleo_cli.adapters.registry import Registry

        return Registry(settings.registry_push)

    def _pinned_cluster(self) -> str | None:
        has_file = (self.options.directory / "nucleo.yml").is_file()
        return self.app.cluster if self.options.environment and has_file else None

    def _chosen_cluster(self) -> str:
        from nucleo_cli.clusters.choice import chosen

        if found := chosen():
            return found
        from nucleo_cli.adapters.kubernetes import contexts

        known = contexts()
        if len(known) == 1:
            return known[0]
        raise NotFound(
            "no cluster is chosen",
            "nucleo cluster up starts a local one; nucleo cluster use CONTEXT chooses one of your kubeconfig",
            {"contexts": known},
        )
