"""The commands about what happened, from living executors and from the journals of dead ones."""
