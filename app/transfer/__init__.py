"""A ledger from one database to another, through a file."""
