"""What git knows about the tree that is built."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import os
from pathlib import Path

# Without this, importing GitPython fails on a machine without git; an app needs no repository.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import git
from git.exc import GitError

from nucleo_cli.domain.build import GitFacts

__all__ = ["GitFacts", "facts"]


def facts(directory: Path) -> GitFacts | None:
    """Commit, author and state of the folder's tree; None without git, outside a repository, before a first commit.

    `dirty` is about this folder alone: in a repository of many apps, work on another one does not count.
    """
    try:
        repository = git.Repo(directory, search_parent_directories=True)
        with repository:
            commit = repository.head.commit
            # No user text here, and no program that the repository's configuration names.
            status = ["git", "-c", "core.fsmonitor=false", "status", "--porcelain", "--", "."]
            changes = git.Git(str(directory)).execute(status)
            person = git.Actor.committer(repository.config_reader())
            return GitFacts(
                sha=commit.hexsha,
                dirty=bool(changes),
                time=commit.committed_date,
                user=person.name or "",
                email=person.email or "",
            )
    except (GitError, ValueError, OSError):
        return None
