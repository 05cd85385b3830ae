"""The records of apps' domains: what is wanted, whose a record is, and what has to change."""
