"""How each kind of implementation is driven; one module per framework, imported on demand."""
