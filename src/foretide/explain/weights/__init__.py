"""What attention weights say, and whether it is true."""
