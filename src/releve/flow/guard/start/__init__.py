"""Before the watch: the baseline, and what happened while nobody watched."""
