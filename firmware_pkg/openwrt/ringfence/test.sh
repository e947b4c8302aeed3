#!/bin/sh
# Run by the feed's continuous integration after installing, in a container without
# our kernel features: what can be shown there. $1 is the package, $2 its version.

[ "$1" = ringfence ] || exit 0

ringfence check || exit 1

# An emergency call passes, a call that toll fraud pays for does not.
ringfence explain --json 119 | grep '"verdict": "accept"' || exit 1
ringfence explain --json 0033-010-232-76123456 | grep '"verdict": "reject"' || exit 1

# The rules are read, and make a ruleset.
ringfence ruleset | grep 'table inet ringfence' || exit 1

/etc/init.d/ringfence enabled || exit 1
