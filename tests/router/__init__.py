"""A router in a box: a stock Debian kernel under QEMU, and our package in it.

`run.py` is what `make router-test` calls. `machines` says what each CPU needs, `root`
makes its disk, `payload` what is brought in, `emulator` boots it and listens to its
console, `trial` goes through the boots of one machine, `tables` shows the results.
`guest/` runs inside the machine, with the standard library alone.
"""
