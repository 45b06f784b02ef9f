"""Correct layers as source text, by the thousand: what can be chosen, and how it is written."""
