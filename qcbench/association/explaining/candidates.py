"""What an association had to choose from: chosen, next, and what could not be taken and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, selectinload

from qcbench.association.associating import Associator
from qcbench.association.candidates import (
    PENDING,
    SECONDS_PER_DAY,
    Candidates,
    keys_of_product,
    may_be_made,
)
from qcbench.instruments import InstrumentPack
from qcbench.oca import Association, ConditionResult, Keys, Match, classify, explain
from qcbench.oca.expressions import has_preference, terms_of
from qcbench.oca.validity import TIME_KEY
from qcbench.store import ABState, AssociationBlock, Frame, Product
from qcbench.store.models import NO_RECIPE

MOST_NEAR = 5
_MANY = 50
_KINDS = {
    "calib": ("certified", 0),
    "archive": ("certified", 0),
    "product": ("made, not certified", 1),
    "virtual": ("to be made", 1),
    "general": ("general", 2),
    "raw": ("raw", 0),
}
_NO_MORE = ("deleted", 3)


@dataclass(frozen=True)
class CandidateExplanation:
    """A file that was chosen, or might have been.

    Attributes
    ----------
    flag : str
        REAL, or VIRTUAL for what its AB has yet to make or to get certified.
    kind : str
        What it is: certified, made but not certified, to be made, general, raw.
    tier : int
        Within a level, what is of a lower tier goes first: certified, virtual, general.
    dt_days : float or None
        Candidate minus AB at mid-exposure, days; None for a general calibration.
    level : int
        The number of preferences (`tryBetween`) that it does not fulfil; 0 within the calibration plan.
    refusal : str or None
        Why it may not be taken at all, whatever the rule says.
    """

    name: str
    category: str
    flag: str
    kind: str
    tier: int
    dt_days: float | None
    level: int
    terms: tuple[ConditionResult, ...]
    refusal: str | None = None

    @property
    def failing(self) -> tuple[ConditionResult, ...]:
        """The conditions that it does not fulfil."""
        return tuple(term for term in self.terms if not term.truth)


@dataclass(frozen=True)
class Asking:
    """An AB that asks, and what it is told: the rules at work, and the keys of its group."""

    ab: AssociationBlock
    associator: Associator
    keys: Keys

    @classmethod
    def of(cls, ab: AssociationBlock, associator: Associator) -> Asking:
        """Return an AB with its keys as the rules see them: MJD-OBS is the mid-exposure time."""
        return cls(ab, associator, {**ab.keys, TIME_KEY: ab.mjd_obs_mod})

    @property
    def pack(self) -> InstrumentPack:
        """The pack of the instrument."""
        return self.associator.pack

    def matches(self, association: Association, number: int) -> tuple[Candidates, list[Match]]:
        """Return the best candidates for a rule, best first, and the pool that they are in."""
        wanted = replace(association, max_ret=number)
        pools = self.associator.sources(association)
        for candidates in pools:
            allowed = self.associator.allowed(self.ab, association, candidates)
            found = candidates.pool.find(wanted, self.ab.keys, self.ab.mjd_obs_mod, allowed)
            if found:
                return candidates, found
        return pools[0], []

    def tell(
        self, association: Association, candidates: Candidates, position: int, *, refusal: str | None = None
    ) -> CandidateExplanation:
        """Explain a candidate of a pool against a rule."""
        known = candidates.known[position]
        candidate = candidates.pool.candidates[position]
        return self._tell(
            association,
            candidates.pool.keys_of(position),
            candidate.time,
            name=candidate.name,
            category=known.category,
            flag=known.flag,
            location=known.location,
            refusal=refusal,
        )

    def tell_product(
        self, association: Association, product: Product, *, refusal: str | None = None
    ) -> CandidateExplanation:
        """Explain a product that is in no pool against a rule."""
        time = product.ab.mjd_obs_mod if product.ab else None
        keys = keys_of_product(
            self.pack.rules, product.keys, {"PRO.CATG": product.pro_catg, "MJD-OBS": product.mjd_obs}
        )
        return self._tell(
            association,
            keys if time is None else {**keys, TIME_KEY: time},
            time,
            name=product.pipefile,
            category=product.pro_catg,
            flag="VIRTUAL" if product.location in PENDING else "REAL",
            location=product.location,
            refusal=refusal,
        )

    def tell_frame(self, association: Association, frame: Frame) -> CandidateExplanation:
        """Explain a raw frame against a rule."""
        time = frame.mjd_obs + frame.exptime / (2 * SECONDS_PER_DAY)
        assigned = classify(self.pack.rules, frame.keys).assigned
        return self._tell(
            association,
            {**frame.keys, **assigned, TIME_KEY: time},
            time,
            name=frame.arcfile,
            category=str(assigned.get("RAW.TYPE", "")),
            flag="REAL",
            location="raw",
            refusal=None,
        )

    def _tell(
        self,
        association: Association,
        keys: Keys,
        time: float | None,
        *,
        location: str,
        refusal: str | None,
        **facts: str,
    ) -> CandidateExplanation:
        terms = list(terms_of(association.condition))
        told = explain(association.condition, keys, self.keys)
        level = sum(
            has_preference(term) and not result.preferred for term, result in zip(terms, told, strict=True)
        )
        kind, tier = _KINDS.get(location, _NO_MORE)
        return CandidateExplanation(
            kind=kind,
            tier=tier,
            dt_days=None if time is None else time - self.ab.mjd_obs_mod,
            level=level,
            terms=tuple(told),
            refusal=refusal,
            **facts,
        )

    def nearest(self, session: Session, association: Association) -> list[CandidateExplanation]:
        """Return the candidates of the category that come closest, with what each fails.

        The order is that of the number of failing conditions, the distance in time, the name.
        """
        found = [
            told
            for candidates in self.associator.sources(association)
            for told in self._nearest_in(association, candidates)
        ]
        if association.source != "rawFiles":
            found += self._dead(session, association)
        return sorted(found, key=_rank)[:MOST_NEAR]

    def _nearest_in(self, association: Association, candidates: Candidates) -> Iterator[CandidateExplanation]:
        """Explain the closest of a pool; first all are counted, which is fast, then few are explained."""
        tests = [term.evaluate for term in terms_of(association.condition)]
        pool, ranks = candidates.pool, []
        for position in pool.named(association):
            keys = pool.keys_of(position)
            failing = sum(test(keys, self.keys) is not True for test in tests)
            time = pool.candidates[position].time
            distance = 0.0 if time is None else abs(time - self.ab.mjd_obs_mod)
            ranks.append((failing, distance, pool.candidates[position].name, position))
        for *_, position in sorted(ranks)[:MOST_NEAR]:
            refusal = self.associator.refusal(self.ab, association, candidates, position)
            yield self.tell(association, candidates, position, refusal=refusal)

    def _dead(self, session: Session, association: Association) -> Iterator[CandidateExplanation]:
        """Explain the products that will not be made, or were rejected: they are candidates no more."""
        categories = {
            category
            for need in self.associator.cascade.needs_of(self.ab.action)
            if need.association is association
            for category in need.categories
        }
        query = (
            select(Product)
            .join(Product.ab)
            .where(
                Product.instrument == self.ab.instrument,
                Product.pro_catg.in_(sorted(categories)),
                or_(
                    AssociationBlock.state.in_([ABState.FAILED, ABState.REJECTED]),
                    AssociationBlock.recipe == NO_RECIPE,
                    AssociationBlock.completeness != "COMPLETE",
                ),
            )
            .options(selectinload(Product.ab))
            .order_by(func.abs(Product.mjd_obs - self.ab.mjd_obs_mod), Product.pipefile)
            .limit(_MANY)
        )
        for product in session.scalars(query):
            why = _why_dead(product)
            if why:
                yield self.tell_product(association, product, refusal=why)


def _why_dead(product: Product) -> str | None:
    """Say why a product is no candidate; None if it is one."""
    ab = product.maker
    if ab.state == ABState.REJECTED:
        return f"{ab.name} was rejected"
    if product.location not in PENDING or may_be_made(ab.state, ab.recipe, ab.missing):
        return None
    if ab.state == ABState.FAILED:
        return f"{ab.name} failed: {ab.reason}" if ab.reason else f"{ab.name} failed"
    if ab.recipe == NO_RECIPE:
        return f"{ab.name} has no recipe"
    return f"{ab.name} has too few raw frames"


def _rank(told: CandidateExplanation) -> tuple[int, float, str]:
    return len(told.failing), 0.0 if told.dt_days is None else abs(told.dt_days), told.name
