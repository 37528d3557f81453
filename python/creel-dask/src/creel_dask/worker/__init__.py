"""What runs on a worker. This package is sent there by value, as bytes, with each graph.

So a worker needs no creel_dask, and one that has another version of it runs the client's. The modules import
the standard library, distributed, and names (never modules) of each other: cloudpickle writes a class by value
with all that its methods name.
"""
