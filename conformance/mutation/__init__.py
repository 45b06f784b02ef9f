"""One-edit mutants of a layer's source: made, judged, and what no case reaches of it."""
