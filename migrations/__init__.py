"""One line of schema changes for every database (Alembic)."""
