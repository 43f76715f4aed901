"""Grouping (organization) of files: the second of the three steps of AB creation."""

from qcbench.oca import group, parse_rules


def frame(number: int, **keys):
    return {"ARCFILE": f"X.{number}.fits", "MJD-OBS": 57000.0 + number, "TPL.START": "t1"} | keys


def groups(text: str, frames):
    return group(parse_rules(text, "test.oca"), frames)


def test_files_that_agree_in_the_group_keys_are_one_group():
    frames = [frame(1, DIT=10), frame(2, DIT=2), frame(3, DIT=10), frame(4, DIT=2)]
    found = groups("select execute(DARKS) from inputFiles where T group by DIT as (TPL_A,tpl);", frames)
    assert [(made.action, made.key_values, made.members) for made in found.groups] == [
        ("DARKS", (("DIT", 10),), (0, 2)),
        ("DARKS", (("DIT", 2),), (1, 3)),
    ]
    assert found.groups[0].organizer.group_alias == ("TPL_A", "tpl")
    assert found.ungrouped == ()


def test_group_by_arcfile_is_one_group_a_file():
    found = groups("select execute(A) from inputFiles where T group by ARCFILE;", [frame(1), frame(2)])
    assert [made.members for made in found.groups] == [(0,), (1,)]


def test_members_are_in_the_order_of_time_and_then_of_name():
    frames = [frame(3), frame(1), {**frame(9), "MJD-OBS": 57001.0}, {"TPL.START": "t1", "ARCFILE": "Z"}]
    found = groups("select execute(A) from inputFiles where T;", frames)
    assert found.groups[0].members == (1, 2, 0, 3)


def test_the_order_of_the_frames_does_not_change_the_groups():
    frames = [frame(number, DIT=number % 3) for number in range(9)]
    rule = "select execute(A) from inputFiles where T group by DIT;"
    backward = frames[::-1]
    names = [[frames[index]["ARCFILE"] for index in made.members] for made in groups(rule, frames).groups]
    again = [[backward[index]["ARCFILE"] for index in made.members] for made in groups(rule, backward).groups]
    assert names == again


def types(*names: str, **keys):
    """Frames of one template, one after the other."""
    return [frame(number, **{"DO.CATG": name}, **keys) for number, name in enumerate(names)]


def members(text: str, frames):
    return [(made.action, made.members) for made in groups(text, frames).groups]


def test_without_group_by_a_template_is_a_group():
    frames = [frame(number, **{"TPL.START": f"t{number // 2}"}) for number in range(4)]
    found = groups("select execute(A) from inputFiles where T;", frames)
    assert [(made.key_values, made.members) for made in found.groups] == [
        ((("TPL.START", "t0"),), (0, 1)),
        ((("TPL.START", "t1"),), (2, 3)),
    ]


def test_a_signal_with_each_frame_makes_a_group_of_each_file():
    rule = 'select execute(A) from inputFiles where SIG.FRAME == 1 and DO.CATG == "ARC";'
    found = groups(rule, types("ARC", "ARC", "DARK"))
    assert [(made.key_values, made.members) for made in found.groups] == [
        ((("ARCFILE", "X.0.fits"),), (0,)),
        ((("ARCFILE", "X.1.fits"),), (1,)),
    ]
    assert found.ungrouped == (2,)


def test_a_signal_at_the_end_of_a_template_gives_the_action_all_its_frames():
    rule = 'select execute(LINEARITY) from inputFiles where SIG.TEMPLATE == 1 and LF.DO.CATG == "LAMP_ON";'
    assert members(rule, types("LAMP_OFF", "LAMP_ON", "LAMP_OFF", "LAMP_ON")) == [("LINEARITY", (0, 1, 2, 3))]
    assert members(rule, types("LAMP_ON", "LAMP_OFF")) == []


def test_two_rules_for_either_end_of_a_template_make_one_group():
    rule = """
    select execute(LINEARITY) from inputFiles where SIG.TEMPLATE == 1 and LF.DO.CATG == "LAMP_ON";
    select execute(LINEARITY) from inputFiles where SIG.TEMPLATE == 1 and LF.DO.CATG == "LAMP_OFF";
    """
    assert members(rule, types("LAMP_OFF", "LAMP_ON")) == [("LINEARITY", (0, 1))]
    assert members(rule, types("LAMP_ON", "LAMP_OFF")) == [("LINEARITY", (0, 1))]


def test_the_last_frame_is_last_in_time_and_then_by_name():
    rule = 'select execute(A) from inputFiles where SIG.TEMPLATE == 1 and LF.DO.CATG == "FLAT";'
    first, second = types("FLAT", "DARK")
    assert members(rule, [second, first]) == []
    assert members(rule, [{**first, "MJD-OBS": second["MJD-OBS"]}, second]) == []
    assert members(rule, [{**first, "MJD-OBS": second["MJD-OBS"], "ARCFILE": "Y"}, second]) == [("A", (1, 0))]


def test_bare_keys_are_tested_on_each_frame_and_those_of_the_last_frame_once():
    rule = """
    select execute(A) from inputFiles where SIG.TEMPLATE == 1 and ARM == "blue" and LF.DO.CATG == "ON";
    """
    frames = [*types("OFF", "ON", ARM="blue"), frame(5, ARM="red", **{"DO.CATG": "ON"})]
    assert members(rule, frames) == [("A", (0, 1))]
    frames[2]["DO.CATG"] = "OFF"
    assert members(rule, frames) == []


def test_a_template_is_split_by_group_by_and_each_part_has_its_last_frame():
    rule = """
    select execute(DARK) from inputFiles where SIG.TEMPLATE == 1 and LF.DO.CATG == "DARK" group by DIT;
    select execute(FLAT) from inputFiles where SIG.TEMPLATE == 1 and LF.DO.CATG == "FLAT" group by DIT,FILTER;
    """
    flats = [frame(number, DIT=2, FILTER="J", **{"DO.CATG": "FLAT"}) for number in (1, 2)]
    dark = frame(3, DIT=10, FILTER="CLOSED", **{"DO.CATG": "DARK"})
    assert members(rule, [*flats, dark]) == [("DARK", (2,)), ("FLAT", (0, 1))]
    other = [{**item, "TPL.START": "t2"} for item in (*flats, dark)]
    assert members(rule, [*flats, dark, *other]) == [
        ("DARK", (2,)),
        ("DARK", (5,)),
        ("FLAT", (0, 1)),
        ("FLAT", (3, 4)),
    ]


def test_a_frame_that_no_rule_takes_is_reported_even_within_a_template():
    rule = 'select execute(FLAT) from inputFiles where SIG.TEMPLATE == 1 and DO.CATG == "FLAT";'
    found = groups(rule, types("FLAT", "DARK", "FLAT"))
    assert [made.members for made in found.groups] == [(0, 2)]
    assert found.ungrouped == (1,)


def test_without_a_signal_the_last_frame_is_that_of_the_group():
    rule = """
    select execute(SCIENCE) from inputFiles where LF.DO.CATG == "SKY" group by DIT,OBS.START as (TPL_A,tpl);
    select execute(SCIENCE) from inputFiles where LF.DO.CATG == "OBJECT" group by DIT,OBS.START as (TPL_A,tpl);
    """
    block = {"DIT": 10, "OBS.START": "b1"}
    frames = types("OBJECT", "SKY", "OBJECT", **block)
    frames[2]["TPL.START"] = "t2"  # two templates of one observation block
    assert members(rule, frames) == [("SCIENCE", (0, 1, 2))]
    assert members(rule, types("OBJECT", "DARK", **block)) == []
    assert members(rule, types("OBJECT", "OBJECT", DIT=10)) == [("SCIENCE", (0,)), ("SCIENCE", (1,))]


def test_the_same_files_for_the_same_action_are_one_group():
    rule = """
    select execute(A) from inputFiles where SIG.FRAME == 1 and DO.CATG == "SCIENCE";
    select execute(A) from inputFiles where SIG.TEMPLATE == 1 and DO.CATG == "SCIENCE";
    select execute(B) from inputFiles where SIG.TEMPLATE == 1 and DO.CATG == "SCIENCE";
    """
    assert members(rule, types("SCIENCE")) == [("A", (0,)), ("B", (0,))]
    assert members(rule, types("SCIENCE", "SCIENCE")) == [
        ("A", (0,)),
        ("A", (1,)),
        ("A", (0, 1)),
        ("B", (0, 1)),
    ]


def test_a_logical_is_not_taken_for_a_number_when_profiles_are_remembered():
    rule = "select execute(A) from inputFiles where LAMP == 1;"
    assert members(rule, [frame(1, LAMP=True), frame(2, LAMP=1), frame(3, LAMP=1.0)]) == [("A", (1, 2))]


def test_a_file_of_no_template_is_in_no_ones_group():
    frames = [frame(1, **{"TPL.START": None}), frame(2, **{"TPL.START": None})]
    assert [made.members for made in groups("select execute(A) from inputFiles where T;", frames).groups] == [
        (0,),
        (1,),
    ]


def test_a_setup_key_that_both_files_lack_does_not_part_them():
    rule = "select execute(A) from inputFiles where T group by INS.FILT2.NAME,TPL.START;"
    assert [made.members for made in groups(rule, [frame(1), frame(2)]).groups] == [(0, 1)]


def test_a_group_below_min_ret_is_set_aside_and_its_files_are_ungrouped():
    rule = "minRet = 3; select execute(A) from inputFiles where T group by DIT;"
    frames = [frame(1, DIT=1), frame(2, DIT=2), frame(3, DIT=1), frame(4, DIT=1)]
    found = groups(rule, frames)
    assert [made.members for made in found.groups] == [(0, 2, 3)]
    assert [made.members for made in found.too_small] == [(1,)]
    assert found.ungrouped == (1,)


def test_a_file_joins_a_group_of_each_rule_that_selects_it_and_unselected_files_are_reported():
    rule = """
    select execute(A) from inputFiles where DO.CATG == "SCIENCE" group by ARCFILE;
    select execute(B) from inputFiles where DO.CATG == "SCIENCE";
    """
    science = {"DO.CATG": "SCIENCE"}
    found = groups(rule, [frame(1, **science), frame(2), frame(3, **science)])
    assert [(made.action, made.members) for made in found.groups] == [("A", (0,)), ("A", (2,)), ("B", (0, 2))]
    assert found.ungrouped == (1,)
