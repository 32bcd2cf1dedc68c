"""What the server drives: enrolment, ingest, actions, sign-in."""
