"""Where things are kept, and the one writer that commits."""
