"""The kernel's side: the ruleset as text, its installation, the queue, its notices."""
