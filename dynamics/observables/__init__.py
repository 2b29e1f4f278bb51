"""What we look at along a trajectory."""
