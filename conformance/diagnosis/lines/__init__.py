"""Finds the expression in the source of a layer that computes the first wrong value."""
