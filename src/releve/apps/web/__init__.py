"""What every page of ours shares: headers, words, the door of one-time links, how it is served."""
