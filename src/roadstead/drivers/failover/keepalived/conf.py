"""keepalived's configuration for one gateway of a pair, as text (keepalived.conf(5))."""

import ipaddress

from roadstead.model.pairs import PairSpec

ADVERTISED_EVERY = 1  # seconds; silence for three of them and a bit means death (RFC 5798 §6.1)
# A gateway that comes back waits until its rules are right; only then does it take over.
RETURN_DELAY = 5
FIRST, SECOND = 150, 100
# A gateway that nobody on the storage network answers is cut off, not alone: it gives the
# addresses up. Looked at so often (seconds), and believed after so many looks.
LOOK_EVERY, LOOKS = 2, 2
# There must be one address that the election is about; this one is on nobody's network. Whoever
# has it has them all.
MARKER = {4: "127.0.0.254/32", 6: "fd72:6f61:6473::1/128"}

_TEXT = """\
global_defs {{
  vrrp_version 3
  dynamic_interfaces
}}
vrrp_script storage {{
  script "{script}"
  interval {look_every}
  timeout {look_every}
  fall {looks}
  rise 1
  user root
}}
vrrp_instance gateway {{
  state BACKUP
  interface {interface}
  virtual_router_id 1
  priority {priority}
  advert_int {every}
  preempt_delay {delay}
  unicast_src_ip {own}
  unicast_peer {{
    {peer}
  }}
  check_unicast_src
  track_script {{
    storage
  }}
  garp_master_delay 1
  garp_master_repeat 3
  garp_master_refresh 30
  virtual_ipaddress {{
    {marker} dev lo
  }}
  virtual_ipaddress_excluded {{
{addresses}
  }}
{turns}}}
"""


def marker(spec: PairSpec) -> str:
    """What is on the loopback device of the gateway that has the addresses."""
    return MARKER[ipaddress.ip_address(spec.own).version]


# What the kernel knows of neighbours; each look has it ask again, and the next one knows. Whoever
# is not known is sent a packet: so it is found when it is back.
SCRIPT = """\
#!/bin/bash
# Usage: leg.sh DEVICE ADDRESS...: 0 while one of these neighbours answers there.
exec 2>/dev/null
device=$1 addresses=("${@:2}")

look() {
  local address answers=1
  for address in "${addresses[@]}"; do
    case "$(ip neigh show to "$address" dev "$device")" in
    *REACHABLE* | *STALE* | *DELAY*)
      answers=0
      ip neigh change to "$address" dev "$device" nud probe
      ;;
    *PROBE*) answers=0 ;;
    *) echo >"/dev/udp/$address/9" ;;
    esac
  done
  return $answers
}

look || { sleep 0.3; look; }
"""


def text(spec: PairSpec, script: str, turn: str = "") -> str:
    """The whole file; equal for equal specs. `script`: where SCRIPT is. `turn`: a command that is
    to be told, by one word more, how the election went."""
    lines = [
        f"    {address} dev {interface}"
        for interface, addresses in sorted(spec.addresses.items())
        for address in sorted(addresses)
    ]
    return _TEXT.format(
        script=" ".join((script, spec.interface, spec.peer, *spec.neighbours)),
        look_every=LOOK_EVERY,
        looks=LOOKS,
        interface=spec.interface,
        priority=FIRST if spec.first else SECOND,
        every=ADVERTISED_EVERY,
        delay=RETURN_DELAY,
        own=spec.own,
        peer=spec.peer,
        marker=marker(spec),
        addresses="\n".join(lines),
        turns="".join(
            f'  notify_{word} "{turn} {word}" root\n' for word in ("master", "backup") if turn
        ),
    )
