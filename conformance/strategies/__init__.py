"""Generated inputs: byte strategies, cases, shape grids, their lossless codec and the shrinker."""
