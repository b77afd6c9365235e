"""What Mesos is told about tasks: status updates, and the last update that is held back."""
