"""Settings: from the text of `config.toml` to values, or to what is wrong with it, line by line."""
