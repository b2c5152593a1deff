"""What commands do without click, which takes 30 ms to load and 1 to 2 MB to hold."""
