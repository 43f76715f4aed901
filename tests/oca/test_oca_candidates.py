"""The best candidates of a pool are those that a look at all of them would find."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from qcbench.oca import Association, Candidate, CandidatePool, Keys, matches, parse_rules
from qcbench.oca.expressions import has_preference, terms_of

TIME = 60000.0
CONDITIONS = (
    'PRO.CATG == "A"',
    'PRO.CATG == "A" and inputFile.BIN == BIN',
    '(PRO.CATG == "A" or PRO.CATG == "B") and BIN == inputFile.BIN and MODE like "f%"',
    'DO.CATG == "A" and inputFile.BIN ?= BIN',
    'PRO.CATG == "A" and MJD-OBS between inputFile.MJD-OBS - 2 and inputFile.MJD-OBS + 1',
    'PRO.CATG == "A" and inputFile.BIN == BIN and MJD-OBS between inputFile.MJD-OBS - 3 and inputFile.MJD-OBS + 3'
    " and MJD-OBS tryBetween inputFile.MJD-OBS - 1 and inputFile.MJD-OBS + 1",
    'PRO.CATG == "A" and MJD-OBS tryBetween inputFile.MJD-OBS - 1 and inputFile.MJD-OBS + 0.5'
    " and MJD-OBS tryBetween inputFile.MJD-OBS - 2 and inputFile.MJD-OBS + 2",
    'PRO.CATG == "A" and BIN tryBetween 1 and 1',
    "MJD-OBS < inputFile.MJD-OBS and not BIN == 2",
    'PRO.CATG == "A" and (BIN == inputFile.BIN or MODE == "fast") and not MODE is undefined',
)
VALUES = st.sampled_from([1, 2, 1.0, "1", "1.0", "x", True, None])
CANDIDATES = st.builds(
    lambda category, binning, mode, time, tier, name: Candidate(
        name, {"PRO.CATG": category, "DO.CATG": category, "BIN": binning, "MODE": mode}, time, tier
    ),
    st.sampled_from(["A", "B"]),
    VALUES,
    st.sampled_from(["fast", "slow", None]),
    # some at the same distance on either side, and some at the limits
    st.sampled_from([TIME + step / 2 for step in range(-8, 9)]),
    st.integers(0, 1),
    st.text("abc", min_size=1, max_size=3),
)


def rule(condition: str, max_ret: int) -> Association:
    text = f"action X {{ minRet = 0; maxRet = {max_ret}; select file as FILE_X from calibFiles where {condition}; }}"
    return parse_rules(text, "test").actions[0].associations[0]


def by_looking_at_all(pool: list[Candidate], association: Association, own: Keys) -> list[int]:
    ranked = []
    for position, candidate in enumerate(pool):
        keys = {**candidate.keys, "MJD-OBS": candidate.time}
        if matches(association.condition, keys, own):
            terms = [term for term in terms_of(association.condition) if has_preference(term)]
            level = sum(term.prefer(keys, own) is not True for term in terms)
            ranked.append(
                (level, candidate.tier, abs((candidate.time or 0) - TIME), candidate.name, position)
            )
    return [item[-1] for item in sorted(ranked)[: association.max_ret]]


@settings(max_examples=400, deadline=None)
@given(
    st.lists(CANDIDATES, max_size=25, unique_by=lambda item: item.name),
    st.sampled_from(CONDITIONS),
    VALUES,
    st.integers(0, 3),
)
def test_the_index_finds_what_a_look_at_all_finds(
    candidates: list[Candidate], condition: str, binning: object, max_ret: int
) -> None:
    association = rule(condition, max_ret)
    own = {"BIN": binning, "MJD-OBS": TIME}
    keys = {"PRO.CATG", "DO.CATG", "BIN", "MODE", "MJD-OBS"}
    pool = CandidatePool(candidates, keys)
    found = [match.position for match in pool.find(association, own, TIME)]
    assert found == by_looking_at_all(candidates, association, own)
    shuffled = CandidatePool(candidates[::-1], keys)
    names = [candidates[::-1][match.position].name for match in shuffled.find(association, own, TIME)]
    assert names == [candidates[position].name for position in found], "the order of the pool does not matter"


def test_a_pool_keeps_only_the_keys_that_rules_read() -> None:
    pool = CandidatePool([Candidate("a", {"PRO.CATG": "A", "X": 1, "Y": 2}, TIME)], {"X"})
    assert pool.keys_of(0) == {"PRO.CATG": "A", "X": 1, "MJD-OBS": TIME}


def test_what_may_not_be_taken_gives_its_place_to_the_next_one() -> None:
    pool = CandidatePool(
        [Candidate(name, {"PRO.CATG": "A"}, TIME + index) for index, name in enumerate("abc")], ()
    )
    association = rule('PRO.CATG == "A"', 2)
    found = pool.find(association, {}, TIME, allowed=lambda position: position != 0)
    assert [(match.position, match.dt_days) for match in found] == [(1, 1.0), (2, 2.0)]


def test_the_candidates_of_a_category_are_named_whatever_else_is_asked() -> None:
    pool = CandidatePool([Candidate(name, {"PRO.CATG": name}, TIME) for name in "ABA"], ())
    assert pool.named(rule('PRO.CATG == "A" and BIN == 7', 1)) == [0, 2]
    assert pool.named(rule("BIN == 7", 1)) == [0, 1, 2]
