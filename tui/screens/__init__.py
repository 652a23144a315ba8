"""What fills the terminal: three screens to work in, and dialogs above them."""
