"""The restore drill: ports and the driver of the durable run."""
