"""The box: this machine as a guarded file server, and cutting it from the network."""
