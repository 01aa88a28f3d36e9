"""Model roles: planner, worker, verifier. Knows prompts, not scheduling."""
