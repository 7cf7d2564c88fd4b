"""How Alembic reaches the database: the caller hands in an open connection."""

from alembic import context

from adserver.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
