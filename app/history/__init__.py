"""What the ledger can tell: how things were, what changed, who did it, and proof that it is all still there."""
