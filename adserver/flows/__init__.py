"""One file for each thing the server does; flows do not call each other."""
