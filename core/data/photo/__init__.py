"""Digits found in photographs, and brought to the form of MNIST's images."""
