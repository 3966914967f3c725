"""Networks of VLAN and VXLAN segments, made of what Linux and Open vSwitch have."""
