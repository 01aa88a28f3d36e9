"""What an answer's text says about its own correctness: checks, scores, consensus, calibration. Pure; no model."""
