"""ringfence: a firewall agent for VoIP routers."""

__version__ = "0.1.0"
