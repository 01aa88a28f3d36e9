"""Real runs in real processes that are killed again and again."""
