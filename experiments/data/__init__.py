"""Real images by name."""
