"""Cells, optics and cameras with known truth."""
