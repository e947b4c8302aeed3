"""`ringfence report`: what the owner gets from the carrier a month late.

`events` reads what was logged, `tally` counts it, `composing` says it in a language;
`text`, `page` and `rows` are its forms, `making` goes from files to files. Nothing here
judges, and nothing that a log holds is trusted: bounds, printable text, and the escapes
of each form.
"""
