"""The CNI runtime without root: against plugins that record what they are given and fail as told."""
