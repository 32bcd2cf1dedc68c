"""Linux: fanotify, process connector, handles, clones, signals."""
