"""Shared by properties: the subject they act on, the checks, and models of a layer."""
