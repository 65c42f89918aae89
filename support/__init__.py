"""What helpers.py opens on demand: files and hashes, networks, pens, language, widgets.

Lectures never import it; `helpers` does, by ordinary imports, and on Colab it travels with it.
"""
