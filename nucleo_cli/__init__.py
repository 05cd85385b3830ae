"""Nucleo: from a repository with a nucleo.yml to a running app on your own Kubernetes cluster."""

__version__ = "0.1.0"
