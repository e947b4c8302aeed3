"""A network in a box: strangers outside, the router in the middle, a PBX inside.

What the demo, the live tests and the benchmarks share. Knows how to build network
namespaces, run real SIP peers in them, start the agent as a user would, and record
what really crossed each wire. Imports nothing from `ringfence`: the agent is a
program that the lab starts, and the lab's word must not depend on it.
"""
