"""Makers of the files in data/, one module each: `python -m makers.NAME` from the project's root.

A maker that trains takes the lecture's own functions by book/definitions.py.
"""
