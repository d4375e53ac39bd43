"""What Tessera is measured against, measured beside it: `make bench` (python -m bench.run) writes RESULTS.md.

What lives here: one module a bench, the floor they share, and the one process each figure comes from. What must not: an assertion
on time (a figure is read, never passed or failed), and anything the product imports.
"""
