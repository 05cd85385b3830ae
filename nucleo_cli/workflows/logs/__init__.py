"""What the app printed: read from every container, put in order, followed without losing or doubling a line."""
