"""Which residues belong to a protein: the twenty, their protonation names of force fields, caps, common
modifications."""

from __future__ import annotations

PROTEIN = frozenset(
    "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL "
    "HID HIE HIP HSD HSE HSP CYX CYM ASH GLH LYN TYM ACE NME NMA NHE MSE SEP TPO PTR CSO".split()
)


def is_protein(name: str) -> bool:
    """Terminal names of Amber (NALA, CLEU) count too."""
    return name in PROTEIN or (len(name) == 4 and name[0] in "NC" and name[1:] in PROTEIN)
