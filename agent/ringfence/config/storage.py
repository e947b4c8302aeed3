"""The store of bundles, where a configuration says that it is.

Apart from the rest of `config`, since behind it is what checks signatures.
"""

from pathlib import Path

from ringfence.bundle.store import Places, Store
from ringfence.config.schema import Config


def open_store(config: Config) -> Store:
    """Return the store; nothing of it is read yet."""
    places = Places(
        Path(config.bundle_store),
        Path(config.bundle_factory),
        Path(config.bundle_keys),
        Path(config.control_socket).parent,
    )
    return Store(places, config.bundle_channel)
