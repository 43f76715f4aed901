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


def test_without_group_by_a_template_is_a_group_and_its_signals_are_raised():
    rule = """
    select execute(A) from inputFiles where SIG.TEMPLATE == 1 and SIG.FRAME == 1 and LF.DO.CATG == "DARK";
    """
    frames = [frame(number, **{"DO.CATG": "DARK", "TPL.START": f"t{number // 2}"}) for number in range(4)]
    found = groups(rule, frames)
    assert [(made.key_values, made.members) for made in found.groups] == [
        ((("TPL.START", "t0"),), (0, 1)),
        ((("TPL.START", "t1"),), (2, 3)),
    ]


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
