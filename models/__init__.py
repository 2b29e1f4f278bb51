"""What is learned: networks, their polar coordinates, losses and problems."""
