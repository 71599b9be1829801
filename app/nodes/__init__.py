"""What a process is made of: a node, its part in the lease, its metrics."""
