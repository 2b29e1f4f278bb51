"""The documents' figures: for each what its document claims, the runs it looks at, and the verdict.

One module for each group of figures that share runs; it defines ``FIGURES``, by id. The catalogue
lists them. What is computed is in `studies`; here nothing runs.
"""
