"""What Mesos learns about tasks: status updates, and the last update that is held back."""
