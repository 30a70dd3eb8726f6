"""Understanding a question without a language model: typed slots from English or Chinese text."""
