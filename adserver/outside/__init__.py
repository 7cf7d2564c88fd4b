"""The world beyond our process: other people's hosts, files and pictures."""
