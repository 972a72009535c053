"""The dashboard: look at a large map in a browser."""
