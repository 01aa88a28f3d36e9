"""What a worker may call. Knows no model."""
