"""Which kinds of perturbation a question is about: those it names, and those it asks for in words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .intents import Asked
from .link import Mention
from .text import FLAGS

WORDS = (
    ("compound",(
        r"\bdrugs?\b|\btreatments?\b|\btherap(?:y|ies|eutics?)\b|\btherapeutic\b|\bcompounds?\b|\bcompund|"
        r"\bcpds?\b|\b(?:small )?molecules?\b|\binhibitors?\b|chemical combo|\bcombos\b|\bmedicines?\b|"
        r"\bchemotherap\w*|\bHDACi\b|\bdegraders?\b|\bTKIs?\b|药物|化合物|小分子|抑制剂|用药|药品|"
        r"老药|化疗|激动剂|拮抗剂|药")),
    ("antibody", r"\bantibod(?:y|ies)\b|\bbiologics?\b|\bmAbs?\b|抗体|单抗"),
    ("knockdown",(
        r"CRISPRi\b|CRISPR interference|\bsiRNAs?\b|\bshRNAs?\b|\bRNAi\b|knock(?:ing|ed|s)?[- ]?down|"
        r"\bsilenc(?:e|ing|ed)\b|敲低|敲降|沉默|干扰RNA|RNA干扰")),
    ("activation",(
        r"CRISPRa\b|CRISPR activation|transcriptional activation screen|gene activation|SAM screen|"
        r"activat(?:ing|ion of|es?) (?:both )?(?-i:[A-Z][A-Z0-9]{2,})|激活(?=\s*(?-i:[A-Z][A-Z0-9]{2,}))|转录激活|"
        r"CRISPR激活|基因激活")),
    ("overexpression", r"\bORFs?\b|\bcDNAs?\b|over-?express\w*|过表达|超表达"),
    ("knockout",(
        r"CRISPR(?!i|a| activation| interference|激活|干扰)(?:-?KO|/Cas9|-Cas9)?\b|\bknock(?:ed|ing)?[- ]?outs?\b|"
        r"\bKOs?\b|\bknock(?:ed)? out\b|\bgenes? (?:whose )?(?:loss|deletion)\b|\bwhose (?:loss|deletion)\b|"
        r"\bloss of [A-Z0-9]{3,}\b|\bdelet(?:ion|ing)\b(?! lines)|\bloss-of-function\b|敲除|基因缺失|缺失")),
    ("ligand",(
        r"growth factors?|\bcytokines? (?:treatment|stimulat)|\bhormones? (?:treatment|stimulat)|\bligands?\b|"
        r"生长因子|配体")),
)  # fmt: skip


def kinds(text: str, applied: Sequence[Mention], asked: Asked, out: Sequence[Mention]) -> tuple[str, ...]:
    """Kinds of what is applied first, then of what is asked for; what is ruled out gives none."""
    found: list[str] = []
    hidden = list(text)
    for m in out:
        hidden[m.begin : m.end] = " " * (m.end - m.begin)
    open_text = "".join(hidden)
    gene_kind = next(
        (k for k, words in WORDS if k not in ("compound", "antibody", "ligand") and re.search(words, open_text, FLAGS)),
        None,
    )
    for m in applied:
        if m.of("compound"):
            found.append("antibody" if (m.of("compound").name.endswith("mab")) else "compound")  # type: ignore[union-attr]
        elif m.of("class"):
            name = m.of("class").name  # type: ignore[union-attr]
            if re.search(r"kinase$|phosphatase$|gene$|ligase$|factor$|regulator$|GPCR|protein$|channel$", name):
                found += [gene_kind] if gene_kind else []
            else:
                found.append("antibody" if "antibod" in name.lower() else "compound")
        elif m.of("treatment") and not (m.of("gene") and _acted(text, m)):
            found.append(m.of("treatment").detail)  # type: ignore[union-attr]
        elif m.of("gene") and gene_kind:
            found.append(gene_kind)
    for kind, words in WORDS:
        match = re.search(words, open_text, FLAGS)
        if not match or kind in found:
            continue
        if _denied(open_text, match.start()):
            continue
        if kind == "ligand" and asked in ("hits",):
            continue
        found.append(kind)
    if asked == "panel" and not found and re.search(r"\bdrug|treat|compound|药", open_text, FLAGS):
        found.append("compound")
    return tuple(dict.fromkeys(found))


def _acted(text: str, m: Mention) -> bool:
    from .roles import _acted_on

    return _acted_on(text[: m.begin][-40:], text[m.end :][:30])


def _denied(text: str, place: int) -> bool:
    return bool(re.search(r"(?:\bno|\bnot|\bwithout|\bavoid|不用|不要|无|不做)\s+(?:\w+\s+)?$", text[:place], FLAGS))
