"""Cells with known truth and the microscope images they would give."""
