"""Stage three, judge: what a change did, for whom, and what adds up against a writer."""
