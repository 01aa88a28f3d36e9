"""What `benchmarks/injection.py` is made of."""
