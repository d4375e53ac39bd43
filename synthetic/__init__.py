"""A made-up population and its extracts in every real format, with the truth kept aside.

Here: who exists, what happens to them, how each agency writes it down, and which mistakes it makes. Nobody is real.
Not here: anything the pipeline imports. Tests, bench and the command line call `synthetic.world.make_world`, and
nothing else does.
"""
