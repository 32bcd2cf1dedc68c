"""Connected tools: their tokens, and the webhooks that tell them what happened."""
