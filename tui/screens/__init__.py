"""What fills the terminal: four screens to work in, and dialogs above them."""
