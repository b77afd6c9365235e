"""The commands for what is launched: tasks, pods, ExecutorInfos, before a master sees them."""
