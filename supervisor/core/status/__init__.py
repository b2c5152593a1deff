"""How apps, secrets and commits stand, in words for people and for Git hosts."""
