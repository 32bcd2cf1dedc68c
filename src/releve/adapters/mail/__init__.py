"""Mail: a mailbox by IMAP, answers by SMTP."""
