"""first schema

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "abs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("instrument", sa.String(), nullable=False),
        sa.Column("dfo_date", sa.Date(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("raw_type", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("recipe", sa.String(), nullable=False),
        sa.Column("completeness", sa.String(), nullable=False),
        sa.Column("missing", sa.JSON(), nullable=False),
        sa.Column("match_keys", sa.JSON(), nullable=False),
        sa.Column("setup", sa.String(), nullable=False),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.Column("mjd_obs", sa.Double(), nullable=False),
        sa.Column("mjd_obs_mod", sa.Double(), nullable=False),
        sa.Column("prod_root", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("engine", sa.String(), nullable=True),
        sa.Column("claim", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("exec_seconds", sa.Double(), nullable=True),
        sa.Column("log_path", sa.String(), nullable=True),
        sa.Column("report_path", sa.String(), nullable=True),
        sa.Column("review", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    with op.batch_alter_table("abs", schema=None) as batch_op:
        batch_op.create_index("ix_abs_instrument_date", ["instrument", "dfo_date"], unique=False)
        batch_op.create_index(batch_op.f("ix_abs_state"), ["state"], unique=False)

    op.create_table(
        "archive_files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("stamp", sa.String(), nullable=False),
        sa.Column("instrument", sa.String(), nullable=True),
        sa.Column("dfo_date", sa.Date(), nullable=True),
        sa.Column("arcfile", sa.String(), nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uri"),
    )
    with op.batch_alter_table("archive_files", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_archive_files_arcfile"), ["arcfile"], unique=False)
        batch_op.create_index(batch_op.f("ix_archive_files_dfo_date"), ["dfo_date"], unique=False)

    op.create_table(
        "comments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("comments", schema=None) as batch_op:
        batch_op.create_index("ix_comments_target", ["kind", "target"], unique=False)

    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("tool", sa.String(), nullable=False),
        sa.Column("flag", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("instrument", sa.String(), nullable=True),
        sa.Column("dfo_date", sa.Date(), nullable=True),
        sa.Column("ab_name", sa.String(), nullable=True),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_events_ab_name"), ["ab_name"], unique=False)
        batch_op.create_index(batch_op.f("ix_events_dfo_date"), ["dfo_date"], unique=False)
        batch_op.create_index(batch_op.f("ix_events_flag"), ["flag"], unique=False)

    op.create_table(
        "frames",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("arcfile", sa.String(), nullable=False),
        sa.Column("instrument", sa.String(), nullable=False),
        sa.Column("dfo_date", sa.Date(), nullable=False),
        sa.Column("mjd_obs", sa.Double(), nullable=False),
        sa.Column("exptime", sa.Double(), nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("stamp", sa.String(), nullable=False),
        sa.Column("header_sha256", sa.String(), nullable=False),
        sa.Column("dpr_catg", sa.String(), nullable=False),
        sa.Column("dpr_type", sa.String(), nullable=False),
        sa.Column("tpl_start", sa.String(), nullable=True),
        sa.Column("tpl_nexp", sa.Integer(), nullable=True),
        sa.Column("raw_type", sa.String(), nullable=True),
        sa.Column("do_catg", sa.String(), nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("arcfile"),
    )
    with op.batch_alter_table("frames", schema=None) as batch_op:
        batch_op.create_index("ix_frames_instrument_date", ["instrument", "dfo_date"], unique=False)

    op.create_table(
        "ab_inputs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ab_id", sa.Integer(), nullable=False),
        sa.Column("frame_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["ab_id"], ["abs.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["frame_id"],
            ["frames.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ab_id", "frame_id", "role"),
    )
    with op.batch_alter_table("ab_inputs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ab_inputs_ab_id"), ["ab_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ab_inputs_frame_id"), ["frame_id"], unique=False)

    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ab_id", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("comment", sa.String(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ab_id"],
            ["abs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_decisions_ab_id"), ["ab_id"], unique=False)

    op.create_table(
        "products",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ab_id", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("pro_catg", sa.String(), nullable=False),
        sa.Column("pipefile", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=True),
        sa.Column("final_name", sa.String(), nullable=True),
        sa.Column("dp_id", sa.String(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("data_hash", sa.String(), nullable=True),
        sa.Column("mjd_obs", sa.Double(), nullable=False),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["ab_id"], ["abs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ab_id", "position"),
        sa.UniqueConstraint("dp_id"),
        sa.UniqueConstraint("final_name"),
        sa.UniqueConstraint("pipefile"),
    )
    with op.batch_alter_table("products", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_products_ab_id"), ["ab_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_products_location"), ["location"], unique=False)
        batch_op.create_index("ix_products_lookup", ["instrument", "pro_catg", "mjd_obs"], unique=False)

    op.create_table(
        "scores",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ab_id", sa.Integer(), nullable=False),
        sa.Column("qc1_table", sa.String(), nullable=False),
        sa.Column("parameter", sa.String(), nullable=False),
        sa.Column("detector", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("verdict", sa.Integer(), nullable=True),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["ab_id"], ["abs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ab_id", "qc1_table", "parameter", "detector"),
    )
    with op.batch_alter_table("scores", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scores_ab_id"), ["ab_id"], unique=False)

    op.create_table(
        "ab_calibrations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ab_id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("flag", sa.String(), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("evaluation", sa.String(), nullable=False),
        sa.Column("dt_days", sa.Double(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["ab_id"], ["abs.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("ab_calibrations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ab_calibrations_ab_id"), ["ab_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ab_calibrations_product_id"), ["product_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("ab_calibrations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ab_calibrations_product_id"))
        batch_op.drop_index(batch_op.f("ix_ab_calibrations_ab_id"))

    op.drop_table("ab_calibrations")
    with op.batch_alter_table("scores", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_scores_ab_id"))

    op.drop_table("scores")
    with op.batch_alter_table("products", schema=None) as batch_op:
        batch_op.drop_index("ix_products_lookup")
        batch_op.drop_index(batch_op.f("ix_products_location"))
        batch_op.drop_index(batch_op.f("ix_products_ab_id"))

    op.drop_table("products")
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_decisions_ab_id"))

    op.drop_table("decisions")
    with op.batch_alter_table("ab_inputs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ab_inputs_frame_id"))
        batch_op.drop_index(batch_op.f("ix_ab_inputs_ab_id"))

    op.drop_table("ab_inputs")
    with op.batch_alter_table("frames", schema=None) as batch_op:
        batch_op.drop_index("ix_frames_instrument_date")

    op.drop_table("frames")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_events_flag"))
        batch_op.drop_index(batch_op.f("ix_events_dfo_date"))
        batch_op.drop_index(batch_op.f("ix_events_ab_name"))

    op.drop_table("events")
    with op.batch_alter_table("comments", schema=None) as batch_op:
        batch_op.drop_index("ix_comments_target")

    op.drop_table("comments")
    with op.batch_alter_table("archive_files", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_archive_files_dfo_date"))
        batch_op.drop_index(batch_op.f("ix_archive_files_arcfile"))

    op.drop_table("archive_files")
    with op.batch_alter_table("abs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_abs_state"))
        batch_op.drop_index("ix_abs_instrument_date")

    op.drop_table("abs")
