"""Taking revocable resources back: which pods end, how, and the proof that no regular pod was touched.

request.py           the request, from each channel (pure); messages.py: requests and answers of frameworks
selection.py         which pods a request takes (pure); candidates.py, lost_work.py: what it looks at
revoker.py           every revocation, by id. Start here
ladder.py            the steps: proof, notice, SIGTERM, grace, kill, comparison
pod.py               what a revocation may know of a pod and do to it
proof.py             where the victims lie; comparison.py: regular pods before and after (pure)
process_owners.py    which pod a process belongs to (pure)
notice.py            the file that tells a victim about its end
account.py           what one victim held and when it ended
receipt.py           the result as a document (pure); receipts.py sends it
rehearsal.py         what a revocation would do; history.py: how long earlier ones took (pure)

governor.py          watches the node for local pressure; pressure.py decides (pure)
sensors.py           what the kernel says; readings.py: what happened between two samples (pure)
squeeze.py           limits on revocable pods while there is pressure
"""
