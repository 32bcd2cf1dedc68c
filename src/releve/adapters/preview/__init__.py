"""What a file looks like, drawn by a process that can do nothing else."""
