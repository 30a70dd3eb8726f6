"""Why a response happens: minimal cascades through a signed network, beside their controls, and other explanations."""
