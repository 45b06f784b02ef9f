"""The float64 and decimal oracles, the conventions they follow, and the error bounds."""
