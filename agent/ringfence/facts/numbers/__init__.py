"""Numbers: from what was dialled to where the call would go.

`NumberReader` turns a Request-URI into a `Reading`, with a `Dialplan` and the
`Destinations`; `NumberPolicy` turns a reading into a `Ruling`. Knows text and tables,
nothing of packets, dialogs or rules.
"""

from ringfence.facts.numbers.destinations import Destination, Destinations
from ringfence.facts.numbers.dialplan import Dialplan
from ringfence.facts.numbers.policy import NumberPolicy, Ruling
from ringfence.facts.numbers.reader import NumberReader
from ringfence.facts.numbers.reading import Reading

__all__ = [
    "Destination",
    "Destinations",
    "Dialplan",
    "NumberPolicy",
    "NumberReader",
    "Reading",
    "Ruling",
]
