"""Plain frozen data shared by every room. Imports nothing of ours."""
