"""What users trust us with, sealed: secrets, credentials of connections, variables."""
