"""Versions and plans, as people read them."""

from publish.plan import Action, Plan
from publish.plan import lines as plan_lines
from publish.render import lines


def row(version: str, **changes: object) -> dict[str, object]:
    region = {"name": "westeurope", "state": "Completed", "percent": 100, "details": ""}
    told = {
        "definition": "linux-gen2",
        "version": version,
        "state": "Succeeded",
        "latest": False,
        "excluded": False,
        "end_of_life": "",
        "image": "debian-12",
        "digest": "d",
        "proof": "booted",
        "regions": [region],
    }
    return {**told, **changes}


def test_lists_the_newest_version_first() -> None:
    late = {"name": "westus", "state": "Replicating", "percent": 50, "details": ""}
    told = list(
        lines([row("1.2.3", latest=True), row("1.2.4", excluded=True, regions=[late], end_of_life="2030-01-01")])
    )
    assert told == [
        "linux-gen2",
        "    1.2.4              excluded in westus (Replicating, 50 %); debian-12, booted; its life ends on 2030-01-01",
        "    1.2.3              latest   in westeurope; debian-12, booted",
    ]


def test_says_that_there_is_none() -> None:
    assert list(lines([])) == ["There is no version yet."]


def test_shows_a_plan_with_its_reasons() -> None:
    from build.errors import CallerError

    plan = Plan(
        (Action("create", "gallery", "linux", ("in westeurope",)), Action("keep", "definition", "a")),
        (CallerError("no", "do it otherwise"),),
        ("mind",),
    )
    assert plan_lines(plan) == [
        "gallery linux will be created",
        "    in westeurope",
        "definition a is as wanted",
        "warning: mind",
        "refused: no",
        "    do it otherwise",
    ]
