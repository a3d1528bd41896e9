"""Firewalls: rules that let a guest live pass, whatever words they are in; what certainly stops it is found."""

from pathlib import Path

import pytest

from harness.checks.firewall import the_firewall_lets_the_host_and_ssh_through
from harness.tree import FolderTree
from tests.harness.images import put

WANTS = "etc/systemd/system/multi-user.target.wants"
SSH = "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT"
CLOSED = "*filter\n:INPUT DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
OUT = ":OUTPUT DROP [0:0]\n-A OUTPUT -o lo -j ACCEPT\n-A OUTPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\n"
HOST = "168.63.129.16"
AGENT = f"""\
*security
:OUTPUT ACCEPT [0:0]
-A OUTPUT -d {HOST}/32 -p tcp -m tcp --dport 53 -j ACCEPT
-A OUTPUT -d {HOST}/32 -p tcp -m owner --uid-owner 0 -j ACCEPT
-A OUTPUT -d {HOST}/32 -p tcp -m conntrack --ctstate INVALID,NEW -j DROP
COMMIT
"""
"""What the Azure agent sets itself."""
ENTERPRISE = f"""\
*filter
:INPUT ACCEPT [0:0]
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -i lo -j ACCEPT
{SSH.replace("-m tcp", "-m state --state NEW -m tcp")}
-A INPUT -j REJECT --reject-with icmp-host-prohibited
COMMIT
"""
"""What RHEL's iptables-services bring."""
FORWARDED = "-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n"


def enabled(root: Path, unit: str) -> None:
    put(root, f"usr/lib/systemd/system/{unit}", "[Unit]\n")
    put(root, f"{WANTS}/{unit}", "[Unit]\n")


def by_iptables(root: Path, rules: str) -> list[str]:
    enabled(root, "iptables.service")
    put(root, "etc/sysconfig/iptables", rules)
    return list(the_firewall_lets_the_host_and_ssh_through(FolderTree(root)))


def by_nftables(root: Path, rules: str) -> list[str]:
    enabled(root, "nftables.service")
    put(root, "etc/nftables.conf", rules)
    return list(the_firewall_lets_the_host_and_ssh_through(FolderTree(root)))


def by_ufw(root: Path, rules: str, defaults: str = "", on: str = "yes") -> list[str]:
    put(root, "etc/ufw/ufw.conf", f"ENABLED={on}\n")
    put(root, "etc/ufw/user.rules", f"*filter\n:ufw-user-input - [0:0]\n:ufw-user-output - [0:0]\n{rules}\nCOMMIT\n")
    put(root, "etc/default/ufw", defaults)
    return list(the_firewall_lets_the_host_and_ssh_through(FolderTree(root)))


@pytest.mark.parametrize(
    "rules",
    [
        "",
        AGENT,
        ENTERPRISE,
        ENTERPRISE + FORWARDED,
        CLOSED + SSH,
        CLOSED + SSH.replace("--dport 22", "--dport ssh"),
        CLOSED + SSH.replace("-m tcp --dport 22", "-m multiport --dports 80,22"),
        *(CLOSED + SSH.replace("22", port) for port in ("20:30", "22:", ":22", ":")),
        CLOSED + SSH.replace("--dport 22", "! --dport 80"),
        CLOSED + "-A INPUT -p tcp -j in\n-A in -s 10.0.0.0/8 -j RETURN\n-A in -p tcp --dport 22 -j ACCEPT\n",
        CLOSED + "-A INPUT -s 10.0.0.0/8 -j ACCEPT",
        CLOSED + "-A INPUT -i eth0 -j ACCEPT",
        CLOSED + "-A INPUT ! -i lo -p 6 --syn -j ACCEPT",
        CLOSED + "-A INPUT -m set --match-set friends src -j ACCEPT",
        CLOSED + f"-A INPUT -s 192.0.2.0/24 -j DROP\n{SSH}",
        CLOSED + f'-A INPUT -m comment --comment "a -j DROP of old" -j LOG --log-prefix "in: "\n{SSH}',
        CLOSED + f"-A INPUT -p tcp --dport 80 -j DROP\n{SSH}",
        CLOSED + f"-A INPUT -j DROP\n{SSH.replace('-A', '-I')}",
        f"*nat\n:INPUT DROP [0:0]\n-A OUTPUT -d {HOST} -j DROP\n",
        OUT + f"-A OUTPUT -d {HOST} -j ACCEPT\n-A OUTPUT -d 169.254.169.254/32 -p tcp --dport 80 -j ACCEPT",
        OUT + "-A OUTPUT -m owner --uid-owner 0 -j ACCEPT",
        OUT + "-A OUTPUT -p tcp -j ACCEPT\n-A OUTPUT -p udp --dport domain -j ACCEPT",
        OUT + "-A OUTPUT -j loop\n-A loop -j loop\n-A loop -d 0.0.0.0/0 -j ACCEPT",
        'not a rule\n-A INPUT "',
    ],
)
def test_iptables_may_be_open_in_many_ways(rules: str, tmp_path: Path) -> None:
    assert by_iptables(tmp_path, rules) == []


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (CLOSED, ["iptables:2: :INPUT DROP [0:0]: this lets no SSH in"]),
        (CLOSED + "-A INPUT -i lo -j ACCEPT", [":INPUT DROP [0:0]: this lets no SSH in"]),
        (CLOSED + "-A INPUT -m state --state ESTABLISHED -j ACCEPT", [":INPUT DROP [0:0]: this lets no SSH in"]),
        *((CLOSED + SSH.replace("22", port), [":INPUT DROP"]) for port in ("2222", "21", "20:21", "23:", ":21")),
        (CLOSED + SSH.replace("-p tcp -m tcp", "-p udp"), [":INPUT DROP"]),
        (CLOSED + SSH.replace("--dport", "! --dport"), [":INPUT DROP"]),
        (CLOSED + SSH.replace("-A INPUT", "-A in"), [":INPUT DROP"]),
        (CLOSED + "-A INPUT -g in\n-A in -p udp -j ACCEPT\n" + SSH, [":INPUT DROP"]),
        (CLOSED + f"-A INPUT -p tcp --dport 22 -j DROP\n{SSH}", ["iptables:4: -A INPUT -p tcp --dport 22 -j DROP"]),
        (ENTERPRISE.replace("--dport 22", "--dport 80"), ["iptables:7: -A INPUT -j REJECT"]),
        (f"-A OUTPUT -d {HOST} -j DROP\n", ["iptables:1: -A OUTPUT -d 168.63.129.16 -j DROP: this lets nothing out"]),
        ("-A OUTPUT -d 168.63.0.0/16 -p tcp --dport 32526 -j REJECT\n", ["port 32526 of 168.63.129.16"]),
        ("-A OUTPUT -p udp --dport 53 -j DROP\n", ["no question out to 168.63.129.16"]),
        ("-A OUTPUT -d 169.254.169.254 -j DROP\n", ["nothing out to 169.254.169.254, the metadata service"]),
        (OUT, [":OUTPUT DROP [0:0]: this lets nothing out to 168.63.129.16"]),
        (f"*raw\n:OUTPUT ACCEPT\n-A OUTPUT -d {HOST} -j DROP\n*filter\n:OUTPUT ACCEPT\n", ["iptables:3: "]),
    ],
)
def test_iptables_finds_the_rule_that_shuts_the_guest_out(rules: str, found: list[str], tmp_path: Path) -> None:
    told = by_iptables(tmp_path, rules)
    assert len(told) == len(found)
    assert all(one in line for one, line in zip(found, told, strict=True)), told


def test_iptables_that_nobody_loads_stop_nothing(tmp_path: Path) -> None:
    put(tmp_path, "etc/sysconfig/iptables", CLOSED)
    assert list(the_firewall_lets_the_host_and_ssh_through(FolderTree(tmp_path))) == []


DEBIAN = """\
#!/usr/sbin/nft -f
flush ruleset
table inet filter {
\tchain input {
\t\ttype filter hook input priority 0;
\t}
}
"""
NFT = """\
define ports = { 22, 80 }
table inet filter {
  set friends { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.2 } }
  chain input {
    type filter hook input priority filter; policy drop; # "closed"
    ct state vmap { established : accept, related : accept, invalid : drop }
    iif "lo" accept
    ip protocol icmp accept
    ip6 saddr fe80::/10 accept
    %s
  }
  chain in { tcp dport { 22,
      80 } accept }
}
"""
NFT_OUT = "table ip t { chain o { type filter hook output priority 0; policy drop; %s } }\n"


@pytest.mark.parametrize(
    "rules",
    [
        "",
        DEBIAN,
        *(
            NFT % rule
            for rule in (
                "tcp dport 22 accept",
                "tcp dport ssh ct state new limit rate 3/minute counter packets 0 bytes 0 accept",
                "tcp dport { 80, 22 } accept",
                "tcp dport 20-30 accept",
                "tcp dport $ports accept",
                "tcp dport @open accept",
                "tcp dport != 80 accept",
                "ip saddr @friends accept",
                "meta l4proto tcp th dport 22 accept",
                "meta nfproto ipv4 iifname eth0 accept",
                "ct state new,established accept",
                "jump in",
                'log prefix "drop " level info\n    tcp dport 22 comment "drop" accept',
                "tcp dport vmap { 22 : accept }",
            )
        ),
        NFT % "drop" + "add rule inet filter input tcp dport 22 accept\n",
        NFT_OUT % f"ip daddr {{ {HOST}, 169.254.169.254 }} accept",
        NFT_OUT
        % "ip daddr 169.254.0.0/16 accept; ip daddr 168.63.129.16 tcp dport {80,32526} accept; udp dport 53 accept",
        NFT_OUT % "meta skuid root accept",
        NFT_OUT % "oifname != lo accept",
        "table ip6 t { chain o { type filter hook output priority 0; policy drop; } }",
        "table bridge t { chain i { type filter hook input priority 0; policy drop; } }",
        "table inet t { chain i { type filter hook input priority 0; policy drop; tcp dport 22 goto j } \n"
        "chain j { accept } }",
        "{" * 5000,
        "table inet t { chain",
    ],
)
def test_nftables_may_be_open_in_many_ways(rules: str, tmp_path: Path) -> None:
    assert by_nftables(tmp_path, rules) == []


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (NFT % "", "nftables.conf:5: type filter hook input priority filter: this lets no SSH in"),
        (NFT % "tcp dport { 80, 443 } accept", "this lets no SSH in"),
        (NFT % "udp dport 22 accept", "this lets no SSH in"),
        (NFT % "tcp dport 21 accept", "this lets no SSH in"),
        (NFT % "ct state established,related accept", "this lets no SSH in"),
        (NFT % "icmpv6 type echo-request accept", "this lets no SSH in"),
        (NFT % "tcp dport 22 reject with tcp reset\ntcp dport 22 accept", ":10: tcp dport 22 reject with tcp reset: "),
        (NFT % "counter packets 9 bytes 9 drop\n tcp dport 22 accept", ":10: counter packets 9 bytes 9 drop: "),
        (NFT % "tcp dport 22 return\n    tcp dport 22 accept", "this lets no SSH in"),
        (NFT_OUT % "tcp dport 443 accept", "this lets nothing out to 168.63.129.16"),
        (NFT_OUT % "oif lo accept", "this lets nothing out to 168.63.129.16"),
        (
            f"table ip t {{ chain o {{ type filter hook output priority 0; ip daddr {HOST} drop }} }}",
            f":1: ip daddr {HOST} drop: ",
        ),
        (DEBIAN + NFT_OUT % "", "nftables.conf:8: type filter hook output priority 0: "),
        (
            DEBIAN.replace("priority 0;", "priority 0; tcp dport 22 accept")
            + "table ip second { chain i { type filter hook input priority 1; policy drop; } }",
            "nftables.conf:8: type filter hook input priority 1: this lets no SSH in",
        ),
    ],
)
def test_nftables_finds_the_rule_that_shuts_the_guest_out(rules: str, found: str, tmp_path: Path) -> None:
    (told,) = by_nftables(tmp_path, rules)
    assert found in told


@pytest.mark.parametrize(("port", "closed"), [(22, False), (80, True)])
def test_nftables_are_followed_into_what_they_include(port: int, closed: bool, tmp_path: Path) -> None:
    put(tmp_path, "etc/nftables/own/1.nft", NFT % f"tcp dport {port} accept")
    found = by_nftables(tmp_path, 'include "nftables/*/*.nft"\n')
    assert [one.partition(": ")[0] for one in found] == (["/etc/nftables/own/1.nft:5"] if closed else [])


def test_nftables_that_include_themselves_are_left_to_a_boot(tmp_path: Path) -> None:
    assert by_nftables(tmp_path, 'include "/etc/nftables.conf"\n' + NFT % "") == []


LIMIT = "-A ufw-user-input -p tcp --dport 22 -m conntrack --ctstate NEW -m recent"
DENIED = 'DEFAULT_OUTPUT_POLICY="DROP"\n'


@pytest.mark.parametrize(
    ("rules", "defaults"),
    [
        ("-A ufw-user-input -p tcp --dport 22 -j ACCEPT -m comment --comment 'dapp_OpenSSH'", ""),
        ("-A ufw-user-input -p tcp -m multiport --dports 22,80 -j ACCEPT", ""),
        ("-A ufw-user-input -p tcp --dport 22 -s 10.0.0.0/8 -j ACCEPT", ""),
        (
            f"{LIMIT} --set\n{LIMIT} --update --hitcount 6 -j ufw-user-limit\n{SSH.replace('INPUT', 'ufw-user-input')}",
            "",
        ),
        ("", 'DEFAULT_INPUT_POLICY="ACCEPT"\n'),
        (
            "-A ufw-user-input -p tcp --dport 22 -j ACCEPT\n-A ufw-user-output -d 168.63.129.16 -j ACCEPT\n"
            "-A ufw-user-output -d 169.254.169.254 -j ACCEPT",
            DENIED,
        ),
    ],
)
def test_ufw_may_be_open_in_many_ways(rules: str, defaults: str, tmp_path: Path) -> None:
    assert by_ufw(tmp_path, rules, defaults) == []


@pytest.mark.parametrize(
    ("rules", "defaults", "found"),
    [
        ("", "", "/etc/default/ufw: DEFAULT_INPUT_POLICY=DROP: this lets no SSH in"),
        ("-A ufw-user-input -p tcp --dport 80 -j ACCEPT", "", "DEFAULT_INPUT_POLICY=DROP"),
        ("-A ufw-user-input -p tcp --dport 22 -j DROP", 'DEFAULT_INPUT_POLICY="ACCEPT"\n', "--dport 22 -j DROP"),
        ("-A ufw-user-input -p tcp --dport 22 -j ACCEPT", DENIED, "DEFAULT_OUTPUT_POLICY=DROP: this lets nothing out"),
    ],
)
def test_ufw_finds_what_shuts_the_guest_out(rules: str, defaults: str, found: str, tmp_path: Path) -> None:
    (told,) = by_ufw(tmp_path, rules, defaults)
    assert found in told


def test_ufw_that_is_off_stops_nothing(tmp_path: Path) -> None:
    assert by_ufw(tmp_path, "", on="no") == []


@pytest.mark.parametrize(
    ("zone", "found"), [('<service name="ssh"/>', 0), ('<port port="22" protocol="tcp"/>', 0), ("", 1)]
)
def test_firewalld_s_default_zone_lets_ssh_in(zone: str, found: int, tmp_path: Path) -> None:
    enabled(tmp_path, "firewalld.service")
    put(tmp_path, "etc/firewalld/firewalld.conf", "DefaultZone=own\n")
    put(tmp_path, "etc/firewalld/zones/own.xml", f"<zone>{zone}</zone>")
    put(tmp_path, "usr/lib/firewalld/zones/public.xml", "<zone/>")
    told = list(the_firewall_lets_the_host_and_ssh_through(FolderTree(tmp_path)))
    assert len(told) == found and all("/etc/firewalld/zones/own.xml lets no SSH in" in one for one in told)
