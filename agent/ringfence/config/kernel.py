"""`Config` and `Settings` to the `Plan` of what the kernel does."""

from ringfence.config.schema import Config
from ringfence.decision import Verdict
from ringfence.engine import Settings
from ringfence.netfilter import origins
from ringfence.netfilter.nft import Plan
from ringfence.netfilter.origins import NOBODY

FOREIGN_RULE = "foreign-registration"
"""The rule that `offload.origin` carries out in the kernel; switched off or only
watched, it is not carried out there either."""


def kernel_plan(config: Config, settings: Settings, wan: tuple[str, ...]) -> Plan:
    """Say what the ruleset has to hold; `wan` names the interfaces to strangers.

    Monitoring drops nothing, so the kernel limits and drops nothing then, but for
    bans, which only a person can have set.
    """
    drops = config.mode == "enforce"
    world = settings.world
    register = (
        drops
        and config.offload_origin
        and any(
            rule.id == FOREIGN_RULE and not rule.monitor
            for rule in settings.rules.rules
        )
    )
    tls = drops and config.offload_tls_home_only
    return Plan(
        queue=config.kernel_queue,
        sip_ports=config.network_sip_ports,
        mark=config.kernel_mark,
        responses=any(rule.on == "response" for rule in settings.rules.rules),
        bypass=not (drops and config.policy_no_listener is Verdict.DROP),
        wan=wan,
        exempt=origins.exempt(world),
        not_foreign=origins.not_foreign(world) if register or tls else NOBODY,
        foreign_register=register,
        foreign_tls_ports=config.network_tls_ports if tls else frozenset(),
        source_rate=config.offload_source_rate if drops else 0,
        source_burst=config.offload_source_burst,
    )


def fails_open(config: Config) -> bool:
    """Tell whether a full queue lets packets pass."""
    return config.mode == "monitor" or config.policy_queue_full is Verdict.ACCEPT
