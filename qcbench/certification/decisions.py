"""Decisions: certified or rejected, by whom, when and why. One is never overwritten, only followed.

Source: QC handbook (VLT-SPE-ESO-19600-3986), sections 4.1.7 and 5.5.5.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Literal

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from qcbench.certification.policy import review_reason
from qcbench.certification.queue import QueueItem
from qcbench.certification.rejection import TOOL, doubtful_calibrations, unknown_ab, withdraw
from qcbench.core.dates import parse_date, utc_now
from qcbench.core.errors import DecisionError, FileWriteError, NotFoundError
from qcbench.core.logs import get_logger
from qcbench.core.paths import safe_name
from qcbench.core.settings import CertificationSection
from qcbench.store import (
    ABState,
    AssociationBlock,
    Comment,
    Decision,
    Frame,
    Product,
    advance,
    flag_of,
    record_event,
)
from qcbench.store.models import NO_RECIPE
from qcbench.store.states import DISTRIBUTED, OPEN_STATES, TO_REVIEW
from qcbench.workbench import Workbench

Verdict = Literal["certified", "rejected"]
Scope = Literal["product", "raw"]
CommentKind = Literal["frame", "product", "ab", "date"]
AUTOMATIC = "AUTO"
_DECIDED = (ABState.CERTIFIED, ABState.REJECTED)
_RECOVERABLE = (ABState.MOVED, ABState.RENAMED)


def decide(
    bench: Workbench,
    ab_name: str,
    verdict: Verdict,
    *,
    by: str,
    comment: str,
    scope: Scope = "product",
    shown: QueueItem | None = None,
) -> Decision:
    """Certify or reject an AB.

    The same decision given again by the same person adds nothing, as long as it is in force. An AB whose products
    are on their way to the archive can be rejected only if the file of one is lost.

    Parameters
    ----------
    by : str
        Who decides: a proven identity, never what somebody typed in.
    comment : str
        Why; a rejection needs one, and so does the certification of an AB that is red or used a rejected calibration.
    scope : {"product", "raw"}
        What is rejected: the products, whose virtual calibrations stay, or the raw frames too, for which a hide
        request is noted.
    shown : QueueItem, optional
        The AB as the person saw it: where somebody else was faster, the decision is refused.

    Raises
    ------
    NotFoundError
        There is no such AB.
    DecisionError
        The decision is not possible: a comment is missing, the AB failed, is not scored yet, or its products were
        moved or purged, or it changed since it was shown.
    """
    wanted = Decision(
        verdict=verdict,
        scope=scope,
        by=by.strip(),
        at=utc_now(),
        comment=comment.strip(),
        automatic=False,
    )
    with bench.store.write() as session:
        ab = _lock(session, ab_name)
        last = ab.decisions[-1] if ab.decisions else None
        if last is not None and _in_force(ab, last) and _same(last, wanted):
            return last
        if shown is not None:
            _refuse_if_changed(ab, last, shown)
        wanted.policy = _policy(ab, bench.settings.certification)
        _check(bench, session, ab, wanted)
        wanted.ab_id = ab.id
        session.add(wanted)
        _apply(session, ab, wanted)
    write_texts_later(bench)
    return wanted


def write_texts_later(bench: Workbench) -> None:
    """Write the texts of the ABs that a decision changed; where that fails, the decision stands all the same."""
    try:
        bench.write_texts()
    except FileWriteError as err:
        get_logger().warning(f"{err}. The next call of any stage writes it", tool=TOOL)


def _refuse_if_changed(ab: AssociationBlock, last: Decision | None, shown: QueueItem) -> None:
    seen = shown.last_decision.id if shown.last_decision else None
    if last is not None and last.id != seen:
        said = f" (“{last.comment}”)" if last.comment else ""
        news = f"{last.by} has {last.verdict} it at {last.at:%H:%M} UT{said}"
    elif ab.state != shown.state:
        news = f"it is {ab.state} now, no longer {shown.state}"
    else:
        return
    raise DecisionError(f"{ab.name}: {news}, after this page had shown it. Look again, then decide")


def record_automatic(session: Session, ab: AssociationBlock, at: dt.datetime) -> None:
    """Certify a green AB without a person, in the caller's transaction."""
    session.add(
        Decision(
            ab_id=ab.id,
            verdict="certified",
            scope="product",
            by=AUTOMATIC,
            at=at,
            comment="",
            automatic=True,
            policy="green",
        )
    )
    advance(session, ab, ABState.CERTIFIED, TOOL, "certified automatically: all scores are green")


def flag_when_decided(session: Session, ab: AssociationBlock) -> None:
    """Write the flag cal_Certif or sci_Certif if no AB of the date is left to be decided; call it after a decision.

    An AB that lacks calibrations is not waited for: it can't be decided before they come.
    """
    session.flush()
    states = session.execute(
        select(AssociationBlock.state, AssociationBlock.completeness).where(
            AssociationBlock.instrument == ab.instrument,
            AssociationBlock.dfo_date == ab.dfo_date,
            AssociationBlock.mode == ab.mode,
            AssociationBlock.recipe != NO_RECIPE,
        )
    ).all()
    undecided = [state for state, complete in states if state in OPEN_STATES | TO_REVIEW]
    stuck = [state for state, complete in states if state == ABState.CREATED and complete == "INCOMPLETE"]
    if len(undecided) == len(stuck):
        counts = ", ".join(f"{sum(s == state for s, _ in states)} {state}" for state in _DECIDED)
        record_event(
            session, TOOL, flag_of(ab.mode, "Certif"), counts, instrument=ab.instrument, date=ab.dfo_date
        )


def comment_on(bench: Workbench, kind: CommentKind, target: str, text: str, by: str) -> Comment:
    """Add a comment to a frame (ARCFILE), a product (file name), an AB (name) or a date (YYYY-MM-DD).

    Raises
    ------
    NotFoundError
        There is no such frame, product, AB or date.
    DecisionError
        The text is empty, or nobody says it.
    """
    if not text.strip() or not by.strip():
        raise DecisionError(f"{kind} {target}: a comment needs a text and somebody who says it")
    with bench.store.write() as session:
        if not _exists(session, kind, target):
            raise NotFoundError(f"there is no {kind} '{target}' to comment on. Check the name")
        comment = Comment(kind=kind, target=target, text=text.strip(), by=by.strip(), at=utc_now())
        session.add(comment)
    return comment


def _lock(session: Session, ab_name: str) -> AssociationBlock:
    """Read the AB again inside the write transaction, and keep other deciders of its date out until the end."""
    place = select(AssociationBlock.instrument, AssociationBlock.dfo_date, AssociationBlock.mode).where(
        AssociationBlock.name == ab_name
    )
    row = session.execute(place).one_or_none()
    if row is None:
        raise unknown_ab(ab_name)
    abs_of_date = session.scalars(
        select(AssociationBlock)
        .where(
            AssociationBlock.instrument == row.instrument,
            AssociationBlock.dfo_date == row.dfo_date,
            AssociationBlock.mode == row.mode,
        )
        .order_by(AssociationBlock.id)
        .with_for_update()
    )
    return next(ab for ab in abs_of_date.all() if ab.name == ab_name)


def _same(last: Decision, wanted: Decision) -> bool:
    return (last.verdict, last.scope, last.by, last.comment) == (
        wanted.verdict,
        wanted.scope,
        wanted.by,
        wanted.comment,
    )


def _in_force(ab: AssociationBlock, last: Decision) -> bool:
    """Tell whether the AB is where its last decision has put it: since then it may have been processed again."""
    return ab.state == last.verdict or (last.verdict == "certified" and ABState(ab.state) in DISTRIBUTED)


def _policy(ab: AssociationBlock, settings: CertificationSection) -> str:
    """Return why the AB was offered; a decision that only follows another one says the same as that."""
    if ab.decisions and (ABState(ab.state) in _DECIDED or ABState(ab.state) in DISTRIBUTED):
        return ab.decisions[-1].policy
    if ab.state == ABState.CREATED:
        return "incomplete"
    return review_reason(ab, settings) or ab.review or "green"


def _check(bench: Workbench, session: Session, ab: AssociationBlock, wanted: Decision) -> None:
    state = ABState(ab.state)
    if wanted.verdict not in _DECIDED:
        raise DecisionError(f"{ab.name}: '{wanted.verdict}' is no decision. Say certified or rejected")
    if not wanted.by:
        raise DecisionError(f"{ab.name}: a decision needs somebody who takes it")
    if state in DISTRIBUTED:
        _check_moved(bench, ab, wanted)
    rejectable = wanted.verdict == "rejected" and state in (ABState.CREATED, *_RECOVERABLE)
    if state not in TO_REVIEW and state not in _DECIDED and not rejectable:
        raise DecisionError(f"{ab.name}: it is {state}, not scored yet. Process and score it, then decide")
    if wanted.verdict == "certified":
        _check_certification(session, ab, wanted)
    elif not wanted.comment:
        raise DecisionError(f"{ab.name}: a rejection needs a comment. Say what is wrong and call again")


def _check_moved(bench: Workbench, ab: AssociationBlock, wanted: Decision) -> None:
    """Refuse to decide on an AB whose products were moved, but for the rejection of one that lost a file."""
    lost = [
        product for product in ab.products if product.location == "calib" and _is_lost(bench, ab, product)
    ]
    if wanted.verdict != "rejected" or ab.state not in _RECOVERABLE or not lost:
        raise DecisionError(
            f"{ab.name}: its products were moved already (it is {ab.state}), the decision can't change any more. "
            f"Add a comment to the AB instead"
        )
    archived = [product.file_name for product in ab.products if product.location == "archive"]
    if archived:
        raise DecisionError(
            f"{ab.name}: {', '.join(archived)} is in the archive already and can't be taken back. Restore "
            f"{lost[0].file_name} and call ingest-products again"
        )


def _is_lost(bench: Workbench, ab: AssociationBlock, product: Product) -> bool:
    """Tell whether a moved product is under neither of its names; a renaming that was killed has given the second."""
    folder = bench.data(ab.instrument).calib(ab.dfo_date)
    places = (bench.tree.root / Path(product.path or product.pipefile), folder / safe_name(product.file_name))
    return not any(place.exists() for place in places)


def _check_certification(session: Session, ab: AssociationBlock, wanted: Decision) -> None:
    if wanted.scope == "raw":
        raise DecisionError(
            f"{ab.name}: only a rejection can be of the raw frames. Leave the scope 'product'"
        )
    if wanted.policy in ("failed", "incomplete") or ab.state == ABState.FAILED:
        raise DecisionError(
            f"{ab.name}: it has no products that could be certified ({ab.reason or ab.state}). {_way_out(ab)}"
        )
    if wanted.policy == "red" and not wanted.comment:
        raise DecisionError(
            f"{ab.name}: the certification of a red AB needs a comment. Say why it is good and call again"
        )
    made = [product for product in ab.products if product.location == "product"]
    if ab.state == ABState.REJECTED and not made:
        raise DecisionError(f"{ab.name}: its products were purged after the rejection. {_way_out(ab)}")
    doubts = doubtful_calibrations(session, [ab.id]).get(ab.id)
    if doubts and ab.state != ABState.REJECTED and not wanted.comment:
        raise DecisionError(
            f"{ab.name}: {doubts}; its certification needs a comment. Say why it is good all the same and call again"
        )


def _way_out(ab: AssociationBlock) -> str:
    """Say what can be done with an AB that has no products to be certified."""
    if ab.state == ABState.REJECTED and ab.decisions and ab.decisions[-1].scope == "raw":
        return "Its raw frames were rejected too: it stays rejected"
    again = f"rocess it again: qcbench process-ab -a {ab.name} --again"
    return f"P{again}" if ab.state == ABState.REJECTED else f"Reject it, or p{again}"


def _apply(session: Session, ab: AssociationBlock, decision: Decision) -> None:
    first = ABState(ab.state) in OPEN_STATES | TO_REVIEW
    if ab.state != decision.verdict:
        message = f"{decision.verdict} by {decision.by}: {decision.comment}".removesuffix(": ")
        advance(session, ab, ABState(decision.verdict), TOOL, message)
        if decision.verdict == "rejected":
            withdraw(session, ab)
    if decision.scope == "raw":
        _ask_to_hide(session, ab, decision)
    if first:
        flag_when_decided(session, ab)


def _ask_to_hide(session: Session, ab: AssociationBlock, decision: Decision) -> None:
    for item in ab.inputs:
        if item.role != "RAWFILE":
            continue
        text = f"hide requested: {decision.comment}"
        session.add(
            Comment(kind="frame", target=item.frame.arcfile, text=text, by=decision.by, at=decision.at)
        )
        record_event(session, TOOL, "hide_request", f"{item.frame.arcfile}: {text}", ab=ab, level="warning")


def _exists(session: Session, kind: CommentKind, target: str) -> bool:
    if kind == "date":
        try:
            parse_date(target)
        except ValueError:
            return False
        return True
    named = {
        "frame": select(Frame.id).where(Frame.arcfile == target),
        "product": select(Product.id).where(or_(Product.pipefile == target, Product.final_name == target)),
        "ab": select(AssociationBlock.id).where(AssociationBlock.name == target),
    }
    return kind in named and session.scalar(named[kind]) is not None
