"""The page of a run: says what was found, needs nothing from elsewhere, lets nothing act that a guest wrote."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import pytest

from harness.render_html import render
from harness.report import Event, Report, Status, Verdict
from tests.harness.reports import CONSOLE, UNITS, failed_run, good_run, picture

EMPTY = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass
class Page(HTMLParser):
    """What a page is made of; closing what is not open fails."""

    source: str
    open: list[str] = field(default_factory=list)
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY:
            assert self.open.pop() == tag, f"{tag} is closed at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def text(self) -> str:
        """What a reader sees."""
        return " ".join("".join(data for tag, data in self.texts if tag not in ("style", "script")).split())

    def attributes(self, *names: str) -> Iterator[str]:
        return (value for _, told in self.elements for name, value in told.items() if name in names)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def page(report: Report, screenshot: bytes = b"") -> Page:
    return Page(render(report, screenshot))


def test_says_at_its_head_what_was_judged_and_how_it_ended() -> None:
    text = page(failed_run()).text()
    head = text[: text.index("Notes")]
    for words in (
        "Failed 1 required failed, 1 recommended failed, 6 passed, 1 skipped",
        "debian-13-genboth-x86_64",
        "Scenario first-boot",
        "Seed azure",
        "Firmware UEFI (OVMF)",
        "vTPM none",
        "2026-11-22 21:54:07 UTC",
        "1 min 11 s",
        "9f2c4b7ad01e",
    ):
        assert words in head
    assert "Passed 6 passed, 1 skipped" in page(good_run()).text()


def test_tells_first_what_failed_and_last_what_passed() -> None:
    text = page(failed_run()).text()
    told = ["units.failed", "name.hosts", "twin.machine-id", "custom-data"]
    assert sorted(told, key=text.index) == told


def test_holds_all_of_a_verdict() -> None:
    text = page(failed_run()).text()
    for words in (UNITS.id, UNITS.repair, UNITS.source, UNITS.why, *UNITS.evidence[:3], "4 more lines of evidence"):
        assert " ".join(words.split()) in text
    assert text.count("walinuxagent.service failed") == 1


def test_keeps_a_reason_that_the_evidence_does_not_say() -> None:
    verdict = replace(UNITS, reason="the check itself broke: KeyError", evidence=("a", "b"))
    text = page(replace(failed_run(), verdicts=(verdict,))).text()
    assert "the check itself broke: KeyError" in text
    assert "2 lines of evidence a b" in text


@pytest.mark.parametrize("report", [good_run(), failed_run()], ids=["good", "failed"])
def test_needs_nothing_from_elsewhere(report: Report) -> None:
    made = page(report, picture())
    addresses = [value for name in ("src", "href", "action", "data", "xlink:href") for value in made.attributes(name)]
    assert addresses
    assert all(value.startswith(("./", "data:image/png;base64,")) for value in addresses)
    assert {"link", "iframe", "object", "base"}.isdisjoint(tag for tag, _ in made.elements)
    assert "url(" not in made.source
    assert "@import" not in made.source


def test_lets_nothing_act_that_a_guest_wrote() -> None:
    hostile = "</pre></title></script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&"
    verdict = Verdict(hostile, hostile, Status.FAILED, hostile, hostile, (hostile, hostile), hostile, hostile, hostile)
    report = Report(
        image=hostile,
        digest=hostile,
        scenario=hostile,
        seed=hostile,
        started=hostile,
        console_tail=hostile,
        machine={hostile: hostile},
        verdicts=(verdict,),
        seconds=1.0,
        events=(Event(1.0, hostile, hostile),),
        notes=(hostile,),
        files={hostile: hostile},
    )
    made = page(report)
    assert made.count("script") == 1
    assert made.count("img") == 0
    assert not [name for _, told in made.elements for name in told if name.startswith("on")]
    assert hostile in made.text()


def test_has_a_policy_that_knows_its_own_style_and_script_alone() -> None:
    (policy,) = (told["content"] for _, told in page(good_run()).elements if told.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy


def test_shows_the_console_as_text() -> None:
    made = page(failed_run())
    assert '<script>alert("ready")</script> & goes on' in made.text()
    lines = CONSOLE.rstrip("\n").split("\n")
    assert f"Console, its last {len(lines)} lines" in made.text()
    assert all(any(line == data for _, data in made.texts) for line in lines if line)


def test_leaves_out_what_html_cannot_hold() -> None:
    verdict = replace(UNITS, evidence=("one", "\x1b[31mred\x1b[0m\x00 \udcff"))
    made = page(replace(failed_run(), verdicts=(verdict,)))
    assert "red \\udcff" in made.text()
    assert made.source.encode("utf-8")
    assert not set("\x00\x1b") & set(made.source)


def test_draws_a_lane_for_each_source() -> None:
    made = page(good_run())
    lanes = [data for tag, data in made.texts if tag == "text"]
    assert {"machine", "dhcp", "imds", "wireserver", "health", "dvd", "guest"} <= set(lanes)
    assert "GET /metadata/instance → 400" in lanes
    assert any("Ready" in data for tag, data in made.texts if tag == "title")
    assert f"All {len(good_run().events)} events" in made.text()


def test_shows_the_screen_if_it_was_taken() -> None:
    assert page(good_run(), picture()).count("img") == 1
    assert page(good_run()).count("img") == 0
    assert page(good_run(), b"<svg onload=alert(1)>").count("img") == 0


def test_links_to_what_lies_beside_it() -> None:
    report = replace(good_run(), files={"console": "console.log", "odd": "javascript:alert(1)", "space": "twin/a b#c"})
    hrefs = list(page(report).attributes("href"))
    assert hrefs == ["./report.json", "./console.log", "./javascript%3Aalert%281%29", "./twin/a%20b%23c"]


def test_serves_a_report_that_has_next_to_nothing() -> None:
    bare = Report("disk.vhd", "", "inspect", "", {}, (), "yesterday", 0.0)
    text = page(bare).text()
    assert "Failed no check ran" in text
    assert "yesterday" in text
    assert "Timeline" not in text


def test_names_every_part_once() -> None:
    ids = list(page(failed_run(), picture()).attributes("id"))
    assert len(ids) == len(set(ids))


def test_shows_azures_answer_and_the_name_wherever_it_was_seen() -> None:
    text = page(failed_run()).text()
    assert "Azure would answer: Succeeded The deployment succeeds. 19.4 s: cloud-init said Ready" in text
    assert "at first boot DHCP option 12, 1 of 1 kiln-vm at first boot /etc/hosts debian differs" in text


def test_leaves_out_what_was_not_asked() -> None:
    text = page(replace(good_run(), azure=None, names=())).text()
    assert "Azure would answer" not in text
    assert "The machine's name" not in text
