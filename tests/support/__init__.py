"""What the tests share: layers, cases, reports, and ways to run the commands."""
