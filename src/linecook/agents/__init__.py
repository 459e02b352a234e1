"""Floor 4: orchestration."""
