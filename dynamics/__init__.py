"""How a network moves, and what we see of it."""
