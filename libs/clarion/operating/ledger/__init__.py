"""The ledger: every accepted notification is in exactly one state, and whatever is not so is named.

`audit.py` proves it for a span of time, `look.py` keeps the gauge `clarion_unaccounted`. Both judge by `classify.py`.
The page docs/ledger.md has the equation, where each state is read from, and what cannot be known.
"""
