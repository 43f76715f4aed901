"""general calibrations, associated raw frames, filtered frames, rule sets of calSelector

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rule_sets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.String(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.Column("added_by", sa.String(), nullable=False),
        sa.Column("used_at", sa.DateTime(), nullable=True),
        sa.Column("seen_until", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("instrument", "valid_from"),
    )
    op.create_table(
        "virtual_datasets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule_set_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("raw_type", sa.String(), nullable=False),
        sa.Column("dfo_date", sa.Date(), nullable=False),
        sa.Column("mjd_obs_mod", sa.Double(), nullable=False),
        sa.Column("frames", sa.JSON(), nullable=False),
        sa.Column("categories", sa.JSON(), nullable=False),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["rule_set_id"], ["rule_sets.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("rule_set_id", "name"),
    )
    op.create_index("ix_virtual_datasets_dfo_date", "virtual_datasets", ["dfo_date"])
    op.create_index("ix_virtual_datasets_time", "virtual_datasets", ["rule_set_id", "mjd_obs_mod"])
    with op.batch_alter_table("ab_calibrations") as batch:
        batch.add_column(sa.Column("level", sa.Integer(), nullable=False, server_default="0"))
        batch.alter_column("dt_days", existing_type=sa.Double(), nullable=True)
    with op.batch_alter_table("ab_inputs") as batch:
        batch.add_column(sa.Column("dt_days", sa.Double(), nullable=True))
        batch.add_column(sa.Column("level", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("frames") as batch:
        batch.add_column(sa.Column("filtered", sa.String(), nullable=True))
    with op.batch_alter_table("products") as batch:
        batch.add_column(sa.Column("stamp", sa.String(), nullable=True))
        batch.alter_column("ab_id", existing_type=sa.Integer(), nullable=True)
