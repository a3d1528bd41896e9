"""Several network cards: each is configured as Azure gave it, and the way out leads through the first."""

from harness.cards import CardsSeen
from harness.checks.check import Complaints, check
from harness.profile import CLOUD_INIT


@check(
    "cards.route",
    source="docs/azure/host-protocol.md 1.4",
    repair="Leave routes to DHCP, and do not fall back on a gateway of your own",
)
def the_default_route_leads_through_the_first_card(cards: CardsSeen) -> Complaints:
    """Azure's router, metadata service and wireserver are behind the first network card alone."""
    first = cards.given[0].mac
    if not cards.found.routes:
        yield "the guest has no default route"
    for mac, metric in cards.found.routes:
        if mac != first:
            yield f"a default route of metric {metric} leads through {mac or 'no card'}, and the first card is {first}"


@check(
    "cards.addresses",
    source="docs/azure/host-protocol.md 9.1",
    repair="Let cloud-init configure the network from the metadata service (apply_network_config)",
    when=CLOUD_INIT,
)
def each_card_has_its_addresses(cards: CardsSeen) -> Complaints:
    """cloud-init configures every card of the metadata service by DHCP, and further addresses by itself."""
    for one in cards.given:
        found = cards.found.addresses.get(one.mac)
        if found is None:
            yield f"the guest has no card {one.mac}"
        elif set(found) != set(one.addresses):
            yield f"{one.mac} has {', '.join(found) or 'no address'}, and Azure gave it {', '.join(one.addresses)}"
