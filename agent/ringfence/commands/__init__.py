"""What each subcommand takes and does, in modules by what they need.

Each has a table `PARTS`. The command line imports the one that was asked for, and in
it each command what it alone needs: the agent on the router must not pay for what only
`replay` uses.
"""
