"""How inputs are generated: a palette of shapes, columns with a character, cases from both."""
