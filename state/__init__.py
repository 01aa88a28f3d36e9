"""What outlives a step: journal and budget ledger. The only folder that speaks SQL for the engine."""
