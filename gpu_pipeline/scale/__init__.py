"""More rows than fit in memory: landmarks are embedded and all others placed on their map, by Dask."""
