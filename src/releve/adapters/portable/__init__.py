"""Any system: change notifications without a writer, copies, best evidence."""
