"""Looking around in a run: linked views over time, in a notebook, on a page, or moving.

`views` says what is seen, as arrays; everything that draws takes them from there: `explorer` (a
widget with a slider, or one figure), `page` (one HTML file), `animation` (a film of one view).
"""

EXPLORED = ("loss", "rho", "rho_eq", "gap", "margins", "singular_values", "simplex_plane")
"""What `experiments.explore` shows, by the names that `dynamics.observe` takes."""
