"""What CONTRACT.md promises to scripts, where more than one test needs it."""

MESSAGE_KEYS = [
    "src",
    "sport",
    "dst",
    "dport",
    "transport",
    "kind",
    "method",
    "status",
    "uri",
    "from_user",
    "to_user",
    "call_id",
    "cseq_method",
    "user_agent",
    "auth_user",
    "side",
    "country",
    "destination",
    "verdict",
    "rule",
    "reason",
    "ban_s",
]
"""Keys of a message, but those that only replay knows."""
