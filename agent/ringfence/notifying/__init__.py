"""Notices: incidents and budgets told to a program and to a web service.

`notices.Notices` is the agent's part; what is sent and how, `notice`, `command` and
`webhook`; `way` decides when; `trying` is `ringfence notify`.
"""
