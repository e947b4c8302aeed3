"""`Config` and `Settings` to the `Plan` of what the kernel does."""

from ringfence.config.schema import Config
from ringfence.decision import Verdict
from ringfence.engine import Settings
from ringfence.netfilter.nft import Home, Plan
from ringfence.netfilter.origins import exempt_of, networks_of

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
        responses=settings.rules.wants_responses,
        redirections=settings.rules.wants_redirections,
        bypass=not (drops and config.policy_no_listener is Verdict.DROP),
        wan=wan,
        networks=lambda: networks_of(world) if register or tls else exempt_of(world),
        foreign_register=register,
        foreign_tls_ports=config.network_tls_ports if tls else frozenset(),
        source_rate=config.offload_source_rate if drops else 0,
        source_burst=config.offload_source_burst,
    )


def first_plan(plan: Plan, settings: Settings, home: Home | None = None) -> Plan:
    """Leave out what takes long to put in and the agent can do without.

    Until the whole plan is in place the agent judges every REGISTER itself; unless the
    home networks of an agent that was killed are there (`home`), which then hold on.
    """
    if home is not None and (plan.foreign_register or plan.foreign_tls_ports):
        return plan._replace(
            networks=lambda: exempt_of(settings.world), home_stays=home
        )
    return plan._replace(
        networks=lambda: exempt_of(settings.world),
        foreign_register=False,
        foreign_tls_ports=frozenset(),
    )


def fails_open(config: Config) -> bool:
    """Tell whether a full queue lets packets pass."""
    return config.mode == "monitor" or config.policy_queue_full is Verdict.ACCEPT
