"""Floor 1: what agents share. Each value has a version: a write on a stale read is noticed."""
