"""How users reach the suite: command line, pytest plugin, and functions for test files."""
