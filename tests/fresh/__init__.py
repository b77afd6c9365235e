"""The project on a new Debian: nothing that somebody installed by hand can hide a missing step."""
