"""The only code that touches the outside. Each adapter serves ports and is blind to the others."""
