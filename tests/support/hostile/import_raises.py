"""An import that fails."""

raise RuntimeError("the wheel was built for another planet")
