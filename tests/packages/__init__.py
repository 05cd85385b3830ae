"""Package registries on loopback, for machines that do not reach the public ones."""
