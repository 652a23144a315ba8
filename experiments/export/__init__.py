"""A run's result in formats that others use, one module for each."""
