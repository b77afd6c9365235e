"""One pod: its life, its containers, its end and its release.

runner.py            one pod, for the rest of the executor; table.py: all pods
inbox.py             takes events one at a time and asks the life cycle; performer.py carries out its effects
life/                both life cycles: states, events, effects, tables (pure)
sandbox.py           what the containers of a pod share; network/, images.py and task_sandboxes.py are parts of it
container/           its containers, in containerd
exits/               how containers end, and what that means for tasks
release/             the release of everything that a dead pod held
disk/, resources/    what it uses, and the limits of pods and classes
node.py              what every pod is given: the adapters of the node, and paths
launch_policy.py     what the node's configuration decides for launches
object_updates.py    new ConfigMaps and Secrets for a running pod; listing.py: the pods, for a framework
pod_log.py           its lines in the log and the journal
"""
