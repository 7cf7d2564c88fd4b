"""A self-hosted retargeting ad server."""
