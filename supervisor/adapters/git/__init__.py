"""Sources: Git repositories and folders, read into one bare repository each; no work tree ever."""
