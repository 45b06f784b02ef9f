"""What an implementation is, how a name becomes one, and how each framework is driven."""
