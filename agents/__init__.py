"""The scientist: goals, the two minds, the LangGraph campaign and its budgets."""
