"""The engine at work: the loop around the core, its followers and readers, and the chores that it does beside."""
