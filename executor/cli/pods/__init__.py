"""The commands about pods that run or ended."""
