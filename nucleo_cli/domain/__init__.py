"""What Nucleo speaks of: frozen values and their rules. The standard library only."""
