"""What may begin next, of jobs that nobody does."""

from factory.job import Job, Slots
from factory.queue import Queue

ROOM = Slots(guests=1, lines=1)
GUEST = Slots(guests=1)


def job(name: str, *needs: str, slots: Slots = GUEST) -> Job:
    return Job(name, "pretend", name, needs=needs, slots=slots)


def queue(*jobs: Job, **weight: float) -> Queue:
    return Queue.of({one.name: one for one in jobs}, {one.name: weight.get(one.name, 1.0) for one in jobs})


def names(jobs: object) -> list[str]:
    return [one.name for one in jobs]  # type: ignore[attr-defined]


def test_opens_a_job_when_the_last_of_its_needs_has_ended() -> None:
    a, b, c = job("a"), job("b"), job("c", "a", "b", "a")
    line = queue(a, b, c)
    assert names(line.opened()) == ["a", "b"]
    line.close(a)
    assert not line.has_opened
    line.close(b)
    assert names(line.opened()) == ["c"]
    line.close(c)
    assert not line


def test_gives_what_weighs_most_of_that_which_fits() -> None:
    small, large, other = job("small"), job("large"), job("other", slots=Slots(lines=1))
    line = queue(small, large, other, small=1, large=9, other=5)
    for one in line.opened():
        line.wait(one)
    taken = [Slots()]
    begun = []
    for one in line.fitting(lambda: ROOM.without(taken[-1])):
        begun.append(one.name)
        taken.append(taken[-1] + one.slots)
    assert begun == ["large", "other"]
    assert names(line.fitting(lambda: GUEST)) == ["small"]


def test_looks_again_at_what_was_put_off_and_says_so_once() -> None:
    one = job("a")
    line = queue(one)
    assert names(line.opened()) == ["a"]
    assert line.wait_for_while(one, 0)
    assert line
    assert names(line.fitting(lambda: ROOM)) == ["a"]
    assert not line.wait_for_while(one, 60)
    assert names(line.fitting(lambda: ROOM)) == []
