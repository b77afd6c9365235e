"""Events of the Mesos agent: what each one means, how a launch becomes a pod, when the executor ends."""
