"""What the files of an app say: unit-file syntax, names, references, `.secret` files."""
