"""The documents of executors and of the lender, as far as commands and pages read them: what is not NotRequired is read
without asking whether it is there. The types are those of packaging/doc/schema; further keys are kept, and no fault.
"""
