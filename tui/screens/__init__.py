"""Screens: four to work in, those opened above them, and dialogs."""
