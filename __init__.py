"""Cytocrux: an AI scientist that treats its virtual cell as a falsifiable theory.

theory(t+1) = update(theory(t), lab(design(argmax_claim E[log e(claim)] * value / cost)))
"""
