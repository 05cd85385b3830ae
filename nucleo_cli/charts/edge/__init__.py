"""What an app has at the edge of a cluster, as manifests of its own release: one file a dialect."""
