"""What is computed: one module per kind of run, each with an ``EXPERIMENT``; see the catalogue."""
