"""What a tool can ask for beyond its lane. Each policy wraps the next runner; one that isn't asked for isn't there."""
