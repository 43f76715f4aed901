"""What holds for all rules and frames: what is said of conditions is true, and the order of files means nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from qcbench.oca import cascade_of, check_rules, classify, group, parse_expression, parse_rules, validity_of
from qcbench.oca.reasoning import implies, is_possible

keys = st.sampled_from(["A", "B", "LF.A"])
texts = st.sampled_from(["a", "ab", "b", "2", "3.0", ""])
patterns = st.sampled_from(["a", "%a%", "a%", "%b", "ab%", "a%b", "%"])
constants = st.one_of(texts.map(lambda text: f'"{text}"'), st.sampled_from(["1", "2", "3.0", "T", "F"]))
values = st.one_of(st.none(), texts, st.sampled_from([1, 2, 2.5, 3, True, False]))
operators = st.sampled_from(["==", "!=", "?=", "<", "<=", ">", ">="])
terms = st.one_of(
    st.builds("{} {} {}".format, keys, operators, constants),
    st.builds("{} {} {}".format, constants, operators, keys),
    st.builds("{} {} {}".format, keys, operators, keys),
    st.builds('{} like "{}"'.format, keys, patterns),
    st.builds('{} regexp "{}"'.format, keys, st.sampled_from(["a.*", "[ab]", "2"])),
    st.builds("{} is {}".format, keys, st.sampled_from(["undefined", "string"])),
    st.builds("{} between {} and {}".format, keys, constants, constants),
    st.builds(
        "{} between {} and {}".format, keys, st.sampled_from(["1", "2"]), st.sampled_from(["2", "3.0"])
    ),
    st.builds("{} tryBetween {} and {}".format, keys, constants, constants),
    keys,
)
conditions = st.recursive(
    terms,
    lambda parts: st.one_of(
        st.builds("({} and {})".format, parts, parts),
        st.builds("({} or {})".format, parts, parts),
        st.builds("not ({})".format, parts),
    ),
    max_leaves=6,
)
headers = st.fixed_dictionaries({"A": values, "B": values, "LF.A": values})


@settings(deadline=None, max_examples=400)
@given(conditions, headers)
def test_what_is_called_impossible_is_true_for_no_file(text, header):
    condition = parse_expression(text, "test")
    if condition.evaluate(header, header) is True:
        assert is_possible(condition)


@settings(deadline=None, max_examples=400)
@given(conditions, conditions, headers)
def test_what_is_said_to_follow_does_follow(text, other, header):
    condition, wanted = parse_expression(text, "test"), parse_expression(other, "test")
    if condition.evaluate(header, header) is True and implies(condition, wanted):
        assert wanted.evaluate(header, header) is True


days = st.sampled_from(["0", "0.5", "1", "7"])
mjds = st.sampled_from([58000.0, 58000.5, 58001.0, 58004.0, 58007.0])
times = st.one_of(
    st.sampled_from(["MJD-OBS", "inputFile.MJD-OBS"]),
    st.builds(
        "{} {} {}".format, st.sampled_from(["MJD-OBS", "inputFile.MJD-OBS"]), st.sampled_from("+-"), days
    ),
    st.just("MJD-OBS - inputFile.MJD-OBS"),
    st.builds("-{}".format, days),
    days,
)
limits = st.one_of(
    st.builds("{} between {} and {}".format, times, times, times),
    st.builds("{} {} {}".format, times, st.sampled_from(["<", "<=", ">", ">="]), times),
)


@settings(deadline=None, max_examples=400)
@given(st.lists(limits, min_size=1, max_size=3).map(" and ".join), mjds, mjds)
def test_what_fulfils_the_limits_in_time_lies_in_the_window_that_is_read(text, mjd, asking):
    condition = parse_expression(text, "test")
    if condition.evaluate({"MJD-OBS": mjd}, {"MJD-OBS": asking}) is True:
        assert mjd - asking in validity_of(condition).extended
        assert is_possible(condition)


MADE = """
if PRO.CATG like "%_A" and INS.MODE == "X" then {{ DO.CATG = "TAG_A"; }}
if PRO.CATG == "M_B" then {{ DO.CATG = PRO.CATG; }}
action A {{ select file as NEED from calibFiles where {}; recipe a; product M_A {{ }} }}
action B {{ recipe b; product M_B {{ }} product M_C {{ DO.CATG = "TAG_C"; }} }}
"""
named = st.sampled_from(["M_A", "M_B", "TAG_A", "TAG_C", "%_A", "M%", "%", "NONE"])
asked = st.recursive(
    st.one_of(
        st.builds('{} {} "{}"'.format, st.sampled_from(["PRO.CATG", "DO.CATG"]),
                  st.sampled_from(["==", "!=", "?=", "like", "regexp"]), named),
        st.builds('"{}" == {}'.format, named, st.sampled_from(["PRO.CATG", "DO.CATG"])),
        st.just('INS.MODE == "X"'),
    ),
    lambda parts: st.one_of(
        st.builds("({} and {})".format, parts, parts),
        st.builds("({} or {})".format, parts, parts),
        st.builds("not ({})".format, parts),
    ),
    max_leaves=4,
)  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(asked, st.sampled_from(["A", "B", "C"]), st.sampled_from(["X", "Y", None]))
def test_whose_product_a_rule_takes_counts_as_its_maker(text, product, mode):
    rules = parse_rules(MADE.format(text), "test")
    (need,) = cascade_of(rules).needs
    keys = {"PRO.CATG": f"M_{product}", "INS.MODE": mode} | ({"DO.CATG": "TAG_C"} if product == "C" else {})
    keys |= classify(rules, keys).assigned
    if need.association.condition.evaluate(keys, {}) is True:
        assert ("A" if product == "A" else "B") in need.makers
        assert not need.categories or need.categories & {keys["PRO.CATG"], keys.get("DO.CATG")}
        assert not [item for item in check_rules(rules) if item.code in ("nothing-produces", "never-true")]


RULES = parse_rules(
    """
    if KIND like "%FLAT%" then { DO.CATG = "FLAT"; }
    if KIND like "%LAMP%" and DO.CATG == "FLAT" then { DO.CATG = "LAMP_FLAT"; SEEN = KIND; }
    if KIND == "DARK" then { DO.CATG = "DARK"; }
    select execute(FLAT) from inputFiles where SIG.TEMPLATE == 1 and LF.DO.CATG == "FLAT" group by DIT;
    select execute(LAMP) from inputFiles where SIG.TEMPLATE == 1 and DO.CATG == "LAMP_FLAT";
    select execute(EACH) from inputFiles where SIG.FRAME == 1 and DO.CATG == "DARK";
    minRet = 2;
    select execute(DARK) from inputFiles where LF.DO.CATG == "DARK" or DO.CATG == "DARK" group by DIT, OBS.START;
    """,
    "test",
)
frames = st.lists(
    st.fixed_dictionaries(
        {
            "KIND": st.sampled_from(["FLAT", "FLAT,LAMP", "DARK", "STD"]),
            "DIT": st.sampled_from([1, 2.0, None]),
            "TPL.START": st.sampled_from(["t1", "t2", None]),
            "OBS.START": st.sampled_from(["b1", None]),
            "MJD-OBS": st.sampled_from([58000.0, 58000.5, None]),
        }
    ),
    max_size=8,
).map(lambda found: [{**keys, "ARCFILE": f"X.{number}.fits"} for number, keys in enumerate(found)])


@settings(deadline=None, max_examples=150)
@given(frames, st.randoms(use_true_random=False))
def test_neither_classification_nor_grouping_depends_on_the_order_of_files(found, random):
    shuffled = random.sample(found, len(found))
    assert outcome(found) == outcome(shuffled)


def outcome(found):
    """What becomes of files, by their names."""
    assigned = {keys["ARCFILE"]: classify(RULES, keys).assigned for keys in found}
    grouping = group(RULES, [{**keys, **assigned[keys["ARCFILE"]]} for keys in found])

    def named(groups):
        return [
            (made.action, made.key_values, [found[index]["ARCFILE"] for index in made.members])
            for made in groups
        ]

    left = sorted(found[index]["ARCFILE"] for index in grouping.ungrouped)
    return assigned, named(grouping.groups), named(grouping.too_small), left


@settings(deadline=None, max_examples=100)
@given(frames)
def test_every_file_is_in_a_group_or_reported_as_in_none(found):
    classified = [{**keys, **classify(RULES, keys).assigned} for keys in found]
    grouping = group(RULES, classified)
    grouped = {index for made in grouping.groups for index in made.members}
    assert grouped | set(grouping.ungrouped) == set(range(len(found)))
    assert not grouped & set(grouping.ungrouped)
