"""What can be opened above any screen."""
