"""The local cluster: a real Kubernetes of one node, in one container."""
