"""An import that wants to end the program, as scripts without a main guard do."""

raise SystemExit(3)
