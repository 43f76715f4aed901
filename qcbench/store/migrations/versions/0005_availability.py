"""since when the archive has had a file

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("archive_files") as batch:
        batch.add_column(sa.Column("available_at", sa.DateTime(), nullable=True))
