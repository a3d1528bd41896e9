"""The guest's network cards, as `ip` tells them."""

from dataclasses import replace

from harness.cards import Cards, parse
from harness.order import with_cards
from harness.stint import Stint
from tests.harness.azure.machines import GENERALIZED, SECOND_CARD, TWO_CARDS

LINKS = (
    '[{"ifindex":1,"ifname":"lo","address":"00:00:00:00:00:00","addr_info":[{"family":"inet","local":"127.0.0.1"},'
    '{"family":"inet6","local":"::1"}]},{"ifindex":2,"ifname":"eth0","address":"60:45:bd:00:00:04",'
    '"addr_info":[{"family":"inet","local":"10.0.0.4"},{"family":"inet","local":"10.0.0.14"}]},'
    '{"ifindex":3,"ifname":"eth1","address":"60:45:bd:00:01:04","addr_info":[]}]'
)
ROUTES = (
    '[{"dst":"default","gateway":"10.0.0.1","dev":"eth1","metric":200},'
    '{"dst":"default","gateway":"10.0.0.1","dev":"eth0","metric":100}]'
)


def test_tells_addresses_and_routes_by_the_cards_macs() -> None:
    assert parse(f"{LINKS}\n\n{ROUTES}\n") == Cards(
        {
            "00:00:00:00:00:00": ("127.0.0.1",),
            "60:45:bd:00:00:04": ("10.0.0.4", "10.0.0.14"),
            "60:45:bd:00:01:04": (),
        },
        (("60:45:bd:00:00:04", 100), ("60:45:bd:00:01:04", 200)),
    )


def test_knows_nothing_of_a_guest_that_cannot_tell() -> None:
    assert parse("sh: ip: not found\n") == Cards({}, ())


def test_gives_a_vm_the_cards_of_its_stint() -> None:
    assert with_cards(GENERALIZED, Stint()) == GENERALIZED
    assert with_cards(GENERALIZED, Stint(more_cards=1)) == TWO_CARDS
    later = with_cards(replace(GENERALIZED, address="10.0.0.5"), Stint(more_cards=2))
    assert SECOND_CARD not in later.more_interfaces
    assert len({later.address, *later.more_addresses, *(one.addresses[0] for one in later.more_interfaces)}) == 4
