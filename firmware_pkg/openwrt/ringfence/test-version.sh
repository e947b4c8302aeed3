#!/bin/sh
# $1 is the package, $2 its version, as `0.1.0-r1`.

[ "$1" = ringfence ] || exit 0

ringfence --version | grep -F "ringfence ${2%-r*}"
