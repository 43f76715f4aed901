"""Calls of recipes, each as it was: what went in, with which parameters and versions, what came out.

An AB that is processed again gets another run; the products of the last one are those of its rows.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qcbench.store.models import AssociationBlock, Base, Frame, Product


class RecipeRun(Base):
    """One call of a recipe for an AB; it is written when it has ended, and never changed.

    `recipe` and `parameters` are those of the engine, `versions` those of all that ran, by name. `peak_mb` (MiB) is
    the most memory that the recipe had.
    """

    __tablename__ = "recipe_runs"
    id: Mapped[int] = mapped_column(primary_key=True)
    ab_id: Mapped[int] = mapped_column(ForeignKey("abs.id", ondelete="CASCADE"), index=True)
    engine: Mapped[str]
    recipe: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    versions: Mapped[dict[str, Any]]
    host: Mapped[str]
    started_at: Mapped[dt.datetime]
    seconds: Mapped[float]
    peak_mb: Mapped[float]
    exit_code: Mapped[int]
    reason: Mapped[str | None]

    ab: Mapped[AssociationBlock] = relationship()
    files: Mapped[list[RunFile]] = relationship(
        back_populates="run", order_by="RunFile.position", cascade="all, delete-orphan"
    )

    @property
    def inputs(self) -> list[RunFile]:
        """What went in, in the order of the set of frames."""
        return [file for file in self.files if not file.is_output]

    @property
    def outputs(self) -> list[RunFile]:
        """The products."""
        return [file for file in self.files if file.is_output]


class RunFile(Base):
    """A file that went into a run or came out of it, with the content that it had then, by ARCFILE or PIPEFILE.

    `tag` is that in the set of frames, or PRO.CATG of an output. `sha256` is that of the file, which changes with its
    header, `data_hash` that of the data alone. Raw frames never change: they have neither.
    """

    __tablename__ = "run_files"
    __table_args__ = (
        UniqueConstraint("run_id", "position"),
        Index("ix_run_files_sha256", "sha256"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("recipe_runs.id", ondelete="CASCADE"))
    position: Mapped[int]
    is_output: Mapped[bool]
    name: Mapped[str]
    tag: Mapped[str]
    frame_id: Mapped[int | None] = mapped_column(ForeignKey("frames.id", ondelete="SET NULL"), index=True)
    product_id: Mapped[int | None] = mapped_column(ForeignKey("products.id", ondelete="SET NULL"), index=True)
    sha256: Mapped[str | None]
    data_hash: Mapped[str | None]

    run: Mapped[RecipeRun] = relationship(back_populates="files")
    frame: Mapped[Frame | None] = relationship()
    product: Mapped[Product | None] = relationship()
