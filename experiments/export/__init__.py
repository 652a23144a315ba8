"""Export of runs in common formats, one module for each format."""
