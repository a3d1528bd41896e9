"""Machines that stand beside each other: what their guests answer, and in which order stints are played."""

from dataclasses import replace

from harness.neighbours import Seen, answers, unfound
from harness.scenario import find_scenario
from harness.stint import Stint

NAMELESS = Stint("other", vm="second", disk="second", beside=True)


def test_takes_the_first_line_of_each_answer() -> None:
    printed = "10.0.0.5 b.net\n==kiln==\n==kiln==\n10.0.0.5 b\n10.0.0.6 b\n==kiln==\nSSH-2.0-x\r\n"
    assert answers(printed) == ("10.0.0.5 b.net", "", "10.0.0.5 b", "SSH-2.0-x")
    assert answers("") == ("", "", "", "")


def test_notes_who_is_not_found_by_a_short_name() -> None:
    seen = Seen("b", "a", "net", "10.0.0.4", short="10.0.0.4        a.net a")
    assert unfound((seen,)) == []
    (note,) = unfound((seen, replace(seen, short="fe80::6245:bdff:fe00:4 a")))
    assert note.startswith("b does not find a by its short name (fe80::6245:bdff:fe00:4 a): ")
    assert "(no answer)" in unfound((replace(seen, short=""),))[0]


def test_plays_beside_a_stint_what_is_beside_it() -> None:
    first, later = Stint(), Stint("later")
    twins, neighbours = find_scenario("twins"), find_scenario("neighbours")
    mixed = replace(twins, stints=(first, NAMELESS, later))
    assert (mixed.rows, mixed.machines) == (((first, NAMELESS), (later,)), 2)
    assert (twins.rows, twins.machines) == (tuple((one,) for one in twins.stints), 1)
    assert (len(neighbours.rows), neighbours.machines) == (1, 2)
