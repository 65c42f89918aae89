"""Published recipes and choices of settings, run here: `python -m benchmarks.NAME`."""
