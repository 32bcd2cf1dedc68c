"""The installer of one host: what `releve onboard` wrote, done on the machine itself."""
