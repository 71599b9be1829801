"""What workers and executors are told in answer to a turn."""
