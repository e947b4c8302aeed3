"""`bundle`: its actions are those of `publishing`."""

from typing import Final

from ringfence import publishing
from ringfence.commands.parts import Parts

PARTS: Final = {"bundle": Parts(publishing.options, publishing.run)}
