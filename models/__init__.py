"""The model gateway: rungs, clients, retries, limits, prices, rehearsal."""
