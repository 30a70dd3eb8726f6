"""What a name does in a question: applied, measured, a place where it happens, or background."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .intents import Asked
from .link import Mention
from .polarity import GENOTYPE
from .text import FLAGS

GENE_ACTS = re.compile(
    r"knock(?:ing|ed)?[- ]?(?:out|down)|\bKOs?\b|\bKD\b|CRISPR\w*|siRNAs?|shRNAs?|RNAi|silenc\w+|delet\w+|"
    r"loss|overexpress\w*|activat\w+|ablat\w+|deplet\w+|sgRNAs?|perturb\w*|disrupt\w*|ORFs?|cDNA|"
    r"敲除|敲低|沉默|过表达|激活|缺失|敲降|干扰",
    FLAGS,
)
MEASURED_AFTER = re.compile(
    r"^(?:'s)?\s*(?:\([^)]*\)\s*)?(?:mRNA|protein|expression|transcripts?|levels?|secretion|release|"
    r"production|surface|abundance|induction|upregulation|output|reporter|positive cells|蛋白|表达|水平|分泌|释放|"
    r"产生|的?(?:产生|分泌|表达|水平|释放|诱导)|mRNA水平|生成)",
    FLAGS,
)
MEASURED_BEFORE = re.compile(
    r"(?:expression|levels?|secretion|release|production|abundance|amount|induction|mRNA|output|"
    r"upregulation|surface|measure|readout:?|read out|read|stain(?:ing)? for|reporter for|boosts?|raises?|"
    r"lowers?|reduces?|increases?|decreases?|induces?|upregulates?|downregulates?|suppresses|elevates?|"
    r"control(?:s|ling)?|regulat(?:e|es|ing|ors of)|secrete|express|release|produce|"
    r"分泌|表达|产生|升高|降低|上调|下调|调控|诱导|检测|测量|读出|看|测|提高|减少|增加|"
    r"释放)(?:\s+(?:of|the|in|on|total|surface|protein|and|"
    r"secreted|endogenous|for|cell-surface|cellular|basal))*\s*[:：]?\s*$",
    FLAGS,
)
STIMULUS_NEAR = re.compile(
    r"^(?:-|\s)*(?:stimulat\w*|treat\w*|exposure|infect\w*|challenge|addition|withdrawal|刺激|处理|感染|诱导|作用|"
    r"预处理|pre-?treat\w*|alone|plus|at\b|with or without|for\b|\+)",
    FLAGS,
)
STIMULUS_BEFORE = re.compile(
    r"(?:after|with|by|following|upon|under|to|\+|plus|of|adding|against|does|do|和|与|加|经|用|后|在|受|when|"
    r"than|from|by adding|stimulated|given|through which pathway does|and|or|for)\s*(?:the\s+|adding\s+)?$",
    FLAGS,
)
GENERIC = frozenset({"essential gene", "antibody", "monoclonal antibody", "surface protein", "chemotherapy"})
PATHWAY = re.compile(r"^\s*(?:pathway|signal|axis|family|通路|信号)", FLAGS)
LISTED = re.compile(r"^\s*(?:,|/|&|\+|and|or|,\s*and|、|和|与|及)\s*$", FLAGS)
GENERAL = ("viability", "apoptosis", "transcriptome", "phosphoproteome", "proteome", "secretome", "morphology")
CYTOKINE = re.compile(r"^(?:IL\d|IFN|TNF$|CXCL|CCL|CSF|GZMB|PRF1|VEGF|TGFB1|IL1B|INS$|GCG)")
NOT_BEFORE = re.compile(r"(?:\bnot|\bno|不是|不看|非)\s*(?:the\s+)?$", FLAGS)


@dataclass(frozen=True)
class Measured:
    """A readout and where it stands; molecular: a protein or transcript, not one of the general names."""

    name: str
    mention: Mention
    strong: bool  # its own words say that it is measured

    @property
    def molecular(self) -> bool:
        return self.name not in ("viability", "apoptosis")


def readouts(text: str, items: Sequence[Mention]) -> list[Measured]:
    """Readouts in the question's order, the general "viability" words last: they rarely are what is measured."""
    found: list[Measured] = []
    for item in items:
        before, after = text[: item.begin][-40:], text[item.end :][:30]
        general = item.of("readout")
        if general is not None:
            if NOT_BEFORE.search(before) or (general.name == "viability" and _not_viability(item, before, after)):
                continue
            found.append(Measured(general.name, item, general.name != "viability"))
            continue
        gene = item.of("gene")
        if gene is None or GENOTYPE.search(after) or _acted_on(before, after):
            continue
        if MEASURED_AFTER.search(after) or (MEASURED_BEFORE.search(before) and not STIMULUS_NEAR.search(after)):
            found.append(Measured(gene.name, item, True))
        elif not item.of("context") and not PATHWAY.search(after):
            found.append(Measured(gene.name, item, False))
    for i in range(len(found) - 2, -1, -1):  # "IL-6 and TNF secretion": what is listed with a readout is one
        gap = text[found[i].mention.end : found[i + 1].mention.begin]
        if found[i + 1].strong and found[i + 1].mention.of("gene") and LISTED.search(gap):
            found[i] = replace(found[i], strong=True)
    return [m for m in found if m.strong or not m.mention.of("treatment")]


def _not_viability(item: Mention, before: str, after: str) -> bool:
    """Words of the viability family that mean something else here."""
    word = item.text.lower()
    if word in ("growth",) and re.match(r"\s*(?:factor|medium|conditions)", after, FLAGS):
        return True
    if word.startswith("resist") or word in ("耐药", "耐药性"):
        return False
    return word == "sensitivity" and bool(re.match(r"\s*analysis", after))


def settled(text: str, named: Sequence[Measured], applied: Sequence[Mention], asked: Asked) -> list[Measured]:
    """Without names that turned out to be applied; weak ones only where they were asked for."""
    kept = [m for m in named if m.mention not in applied]
    strong = [m for m in kept if m.strong]
    weak_genes = [m for m in kept if not m.strong and m.name != "viability"]
    if asked in ("mechanism", "biomarker", "panel", "selectivity"):
        weak_genes = []
    molecules = [m for m in kept if m in strong or m in weak_genes]
    if molecules:
        explicit = [
            m
            for m in kept
            if m.name == "viability"
            and re.fullmatch(
                r"(?:cell )?viability|proliferation|growth|survival|(?:细胞)?活力|存活率?|增殖", m.mention.text, FLAGS
            )
        ]
        generic = {"transcriptome", "proteome", "phosphoproteome", "secretome"}
        specific = [m for m in molecules if m.name not in generic]
        molecules = specific or molecules
        return sorted([*molecules, *explicit], key=lambda m: m.mention.begin)
    return [m for m in kept if m.name == "viability"][:1]


def _acted_on(before: str, after: str) -> bool:
    near_before = re.split(r"[,;.。，；?]", before)[-1][-26:]
    near_after = re.split(r"[,;.。，；?]", after)[0][:16]
    verb_before = re.search(
        rf"(?:{GENE_ACTS.pattern})\s*(?:of|the|both|in|for|against|on|either|targeting|：|:)*\s*$", near_before, FLAGS
    )
    verb_after = re.match(
        rf"^(?:'s)?[\s-]*(?:is |are |was |were |gets? |being |both )*(?:{GENE_ACTS.pattern})", near_after, FLAGS
    )
    return bool(verb_before or verb_after)


def can_be_applied(m: Mention) -> bool:
    return bool(m.kinds & {"compound", "class", "gene", "treatment"})


def is_applied(text: str, m: Mention, asked: Asked, measured: Sequence[Mention]) -> bool:
    """Whether a name is something that is done to the cells."""
    before, after = text[: m.begin][-40:], text[m.end :][:30]
    if m.of("readout") or (m.kinds <= {"disease", "context", "protein", "readout"}):
        return False
    if m.of("compound"):
        return True
    if m.of("class"):
        return m.of("class").name not in GENERIC and not _describes(text, m)  # type: ignore[union-attr]
    if GENOTYPE.search(after):
        return False
    if m.of("gene") and _acted_on(before, after):
        return True
    if m in measured and m.of("gene") and any(m == x for x in measured):
        return _acted_on(before, after)
    if m.of("treatment"):
        if m.of("gene") is None:
            return not MEASURED_AFTER.search(after) or bool(STIMULUS_NEAR.search(after))
        if MEASURED_AFTER.search(after):
            return False
        return bool(
            STIMULUS_NEAR.search(after)
            or (STIMULUS_BEFORE.search(before) and not MEASURED_BEFORE.search(before))
            or not before.strip()
        )
    if m.of("gene"):
        return _listed_with_acted(text, m) or (
            asked == "interaction" and bool(GENE_ACTS.search(text)) and not MEASURED_AFTER.search(after)
        )
    return False


def _listed_with_acted(text: str, m: Mention) -> bool:
    """A gene joined to others that are acted on: "knock out of A, B and C", "A and B are both activated"."""
    after, before = text[m.end :][:40], text[: m.begin][-40:]
    name = r"[A-Z][A-Za-z0-9-]+"
    join = r"\s*(?:,|/|\+|and|or|&|、|和|与|,\s*and)\s*"
    return bool(
        re.match(rf"^(?:{join}{name})+[\s-]*(?:is |are |were |both |double )*(?:{GENE_ACTS.pattern})", after, FLAGS)
        or re.search(rf"(?:{GENE_ACTS.pattern})\s*(?:of|both|:)*\s*(?:{name}{join})+$", before, FLAGS)
    )


def _describes(text: str, m: Mention) -> bool:
    """ "the MDM2 inhibitor nutlin-3a": the class only says what the compound beside it is."""
    from .link import mentions

    after = text[m.end :]
    match = re.match(r"^\s*[,(]?\s*(?P<word>[A-Za-z][A-Za-z0-9-]*|[㐀-鿿]{2,10})", after)
    before = text[: m.begin]
    told = re.search(r"(?P<word>[A-Za-z][A-Za-z0-9-]*)\s*[,(]\s*(?:an?|the)\s+(?:\w+\s+){0,2}$", before)
    if m.text.rstrip().endswith(("s", "S")) and not re.match(r"^\s*\(", after):
        return False
    near = after[: 1 + match.end()] if match else ""
    if near and any(x.of("compound") and x.begin <= 2 for x in mentions(near)):
        return True
    return bool(told and any(x.of("compound") for x in mentions(told["word"])))


def applied_name(m: Mention) -> str:
    """Canonical name: "class:…" for classes, symbols for genes, names for the rest."""
    for kind in ("treatment", "compound", "class", "gene") if m.of("compound") else ("class", "treatment", "gene"):
        name = m.of(kind)
        if name is not None:
            return f"class:{name.name}" if kind == "class" else name.name
    return m.text


def part_of_disease(text: str, m: Mention) -> bool:
    """ "T cell lymphoma" and "B-cell ALL" name no cell type; neither does "red blood cell count"."""
    after = text[m.end :][:24]
    return bool(
        re.match(r"^\s*(?:lymphoma|leuk|malignan|淋巴瘤|白血病|count|receptor|-?engager|受体|计数)", after, FLAGS)
    )


def is_disease(text: str, m: Mention) -> bool:
    """Short forms count in capitals; "the illness that gives the reason" is not told apart."""
    before = text[: m.begin][-24:]
    return not re.search(
        r"(?:history of|family history|no history|previous|prior|and has|also has|with controlled|因|由于|合并|伴有|"
        r"有)\s*$",
        before,
        FLAGS,
    )


def modality(text: str, named: Sequence[Measured], readouts_: tuple[str, ...]):  # type: ignore[no-untyped-def]
    """Of the first readout: from its own kind, else from the words around it."""
    if not readouts_:
        return None
    first = readouts_[0]
    if first in ("viability", "apoptosis"):
        return "viability"
    if first in GENERAL:
        return first
    item = next((m.mention for m in named if m.name == first), None)
    if item is None:
        return None
    told = item.of("readout")
    if told is not None:
        return told.detail
    around = text[max(0, item.begin - 30) : item.end + 30]
    if re.search(r"secret|releas|supernatant|ELISA|分泌|释放|上清", around, FLAGS):
        return "secretome"
    if re.search(r"surface|protein|western|flow|abundance|stain|蛋白|表面|流式", around, FLAGS):
        return "proteome"
    if re.search(r"mRNA|transcript|expression|qPCR|RNA|转录|表达", around, FLAGS):
        return "transcriptome"
    if CYTOKINE.search(first):
        return "secretome"
    return "proteome"
