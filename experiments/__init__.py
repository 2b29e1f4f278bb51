"""Which question we ask: configurations, data, runs, pictures and the command line."""
