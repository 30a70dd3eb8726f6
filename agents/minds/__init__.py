"""Two minds, one interface: the built-in one and any OpenAI-compatible LLM."""
