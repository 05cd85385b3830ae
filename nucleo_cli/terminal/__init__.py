"""Where events become lines for people or JSON for machines. The only folder that prints."""
