"""Composition root: from settings and the environment to adapters, from these to controllers.

Only here it is known which adapter serves which port.
"""
