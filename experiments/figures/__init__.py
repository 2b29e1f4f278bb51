"""One module per experiment, each defining ``EXPERIMENT``; the catalogue lists them."""
