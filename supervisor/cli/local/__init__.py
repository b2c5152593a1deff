"""What commands do on this machine themselves: files, keys, an editor, a measurement."""
