"""Lending: what owner roles have reserved on this node and do not use is offered as revocable, and returned at once.

The *surplus* of an owner is what it can lend now. The *offer* is the total of the resource provider. A *loan* is one
task's part of it, its role the *borrower*. packaging/doc/lending.md tells an operator.

amount.py    cpus and memory in whole units (pure)
node.py      what tasks and executors hold, and the owners' surplus (pure)
peak.py      what an owner keeps of the cpus that it holds and does not use (pure)
window.py    the offer shrinks at once and grows slowly (pure)
rules.py     the words for a loan that broke a rule (pure)
policy.py    from which owners a role may borrow, quotas, and which loans return first (pure)
accounts.py  loans and what they add up to (pure)
decision.py  what a lender's book takes in, and its decisions (pure)
book.py      the decisions of a lender (pure)
configured.py  the book's rules, from the configuration (pure)
ledger.py    the accounts' files
feeds.py     what agent, master and executors report
returning.py questions to executors
offering.py  the offer on its way to the agent
files.py     the lock, and small files
lender.py    the process: hears, decides, writes, acts
status.py    what it shows of itself (pure)
"""
