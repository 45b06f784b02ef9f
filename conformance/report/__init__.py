"""One JSON report, and its renderings; every rendering is a pure function of the report."""
