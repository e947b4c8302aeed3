"""`make bench`: how fast the agent is, how soon it is ready, what it holds in memory.

Every figure stands beside a yardstick measured in the same run, round by round in
turn, because the machine is shared: read ratios first. Nothing here fails on time.
"""
