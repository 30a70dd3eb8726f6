"""What sort of question it is: the first of the rules that fits (the order of the gold questions' rules)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from .link import Mention
from .text import FLAGS

Asked = Literal["interaction", "selectivity", "biomarker", "mechanism", "hits", "panel", "response"]

INTERACTION = re.compile(
    r"synerg|\bcombin(?:e|es|ed|ing|ation|ations)\b|\bcombos?\b|\bpairs?\b|\bpairwise|epista|"
    r"genetic interaction|synthetic(?:ally)?[- ]lethal|additiv|antagoni[sz]|"
    r"\binteract\b|interaction between|potentiat|what (?:to|should i|can i|could i|do i) add|add(?:ing|"
    r"ed)? to|together with|on top of|more than (?:the|their) sum|double (?:knockout|knockdown|"
    r"perturbation)|"
    r"(?:better|stronger) together|which partner|buffer|协同|组合|联合|联用|配对|相加|合成致死|"
    r"拮抗(?!剂)|上位|搭配|合用|双敲|相互作用",
    FLAGS,
)
SELECTIVE = re.compile(
    r"\bspar(?:e|es|ed|ing)\b|(?:kill|essential|lethal|toxic|active|sensitive|effective|potent|hit|"
    r"dependen)\w*\b[^.;?]{0,60}\bbut not\b|selectiv|therapeutic (?:window|index)|but not (?:in |the |on |"
    r"to |normal|healthy)|without (?:harming|killing|hurting|affecting|touching|damaging|toxicity (?:to|"
    r"in))|"
    r"more (?:toxic|potent|active|effective|sensitive)[^,;.]{0,24} (?:than|in)\b|leav(?:e|es|"
    r"ing) [^,;.]{0,30}(?:alone|unharmed|intact|alive|untouched)|not (?:harm|kill|hurt|affect)|"
    r"tolerated by|harmless|differential(?:ly)?|preferential|"
    r"选择性|不伤害|不伤|无毒|不影响|不损伤|而不(?!是)|放过|但对|窗口|毒性小|差异",
    FLAGS,
)
BIOMARKER = re.compile(
    r"biomarkers?|\bmarkers? (?:of|for|that)|\ba marker\b|predict(?:s|ive|or|ors|"
    r"ing)?\b[^?]{0,40}(?:sensitiv|respon|resist|rebound|benefit|outcome|effect|who|which|kill)|"
    r"(?:mutations?|features?|genotypes?|expression|genes?|alterations?|signatures?|lineages?|"
    r"status)\b[^?]{0,50}\b(?:predicts?|tells?|distinguish\w*|separate\w*|correlate\w*|associate\w*|"
    r"explain\w*|mark\w*|discriminat\w*|stratif\w*|differ\w*)|"
    r"stratif|responders? from|non-?responders|tell\w* apart|生物标志|标志物|标记物|预测(?!的|最|可|"
    r"应|哪些药)|区分|分层|相关的突变|哪些突变",
    FLAGS,
)
MECHANISM = re.compile(
    r"\bwhy\b|how come|mechanism of action|mode of action|\bMoA\b(?! ?(?:class|classes|s\b))|"
    r"mechanisms? (?:of|by|behind|for|underl|does|do|through|that explain)|(?:what|which) (?:is|are|"
    r"mechanism|pathway)[^?]{0,20}\bmechanism|"
    r"\btargets? of\b|the target\b|off-?targets?|molecular target|direct target|what does \S+ (?:bind|"
    r"target|hit)|through (?:which|what)|via (?:which|what)|by (?:which|what) (?:pathway|mechanism|route)|"
    r"which pathway|what pathway|depend(?:s|ent|ence)? (?:on|upon)|require[sd]? for|"
    r"\b(?:what (?:is )?caus\w+|causes? of|reasons? (?:for|why|of)|explains?|explanation|accounts? for|"
    r"underl(?:ies|ying)|responsible for|behind)\b|how (?:is|are|was|were) [^?]{0,60}\b(?:activated|"
    r"inhibited|regulated|controlled|induced|blocked)\b|mediate[sd]?\b|driven by|how (?:do|does|did|can|"
    r"could) [^?]{0,60}\b(?:kill|work|cause|inhibit|resist|escape|block|lower|reduce|raise|activate|"
    r"induce|suppress|overcome|become|trigger|lead|act|survive|evade|shut|stop|get)\b|"
    r"是否依赖|依赖于|为什么|为何|为啥|机制是|的机制|机理|作用机制(?!类)|靶点|靶标|通过(?:什么|哪|何)|"
    r"原因|如何(?:杀|抑|导|诱|激|引|克|起|产生|逃|发挥|降|升)|"
    r"怎么(?:杀|抑|导|诱|激|引|起|产生|会)|怎样(?:杀|抑|导|诱|激|引|起)|解释|介导|导致.{0,12}(?:耐药|抵抗)",
    FLAGS,
)
COUNTED_MECHANISM = re.compile(
    r"(?:\d+|at least \w+|distinct|different|diverse|two|three|four|five|six)\s+(?:distinct |different |"
    r"separate )?mechanisms?(?: of action)?\b|mechanistically|不同(?:作用)?机制|作用机制(?:不同|各异)|"
    r"类(?:不同)?(?:的)?作用机制|种(?:不同)?(?:的)?(?:作用)?机制",
    FLAGS,
)
GENE_HITS = re.compile(
    r"\b(?:which|what|find|identify|list|name|rank|prioriti[sz]e|nominate|search|discover|suggest|select|"
    r"propose|give|top|any|pick|screen|map)\b[^?.;]{0,70}?\b(?:genes|gene (?:knock|hits|targets)\w*|"
    r"knockouts?|knockdowns?|hits?|ORFs?|cDNAs?|regulators?|host factors?|kinases|phosphatases|"
    r"transcription factors?|TFs|ligases|guides?|sgRNAs?|loss[- ]of[- ]function|receptors|suppressors|"
    r"modifiers|GPCRs|deubiquitinases|targets? (?:whose|that|to knock|for knock))\b|"
    r"\bgenes (?:whose|that|which|required|needed|essential|for|controlling|regulating|to knock|driving|"
    r"when)|\bessential genes\b|\bhost factors\b|\bscreen(?:s|ing)?\b|genome-?wide|\bhits\b|"
    r"\bregulators of\b|哪些(?:激酶|基因|转录因子|磷酸酶|靶基因|宿主因子)|什么基因|基因(?:敲除|敲低|"
    r"激活|过表达)?(?:筛选|调控)|"
    r"筛选(?:.{0,14})(?:基因|调控|因子)|宿主因子|全基因组|必需基因|调控.{0,14}的基因|找.{0,16}基因",
    FLAGS,
)
COMPOUND_NOUN = (
    r"(?:drugs?|compounds?|cpds?|molecules?|inhibitors?|agents?|medicines?|therap(?:y|ies|eutics?)|"
    r"treatments?|options?|regimens?|panel|chemotherap\w*|degraders?|antibiotics|mimetics?|HDACi|TKIs?)"
)
PANEL = re.compile(
    rf"\b(?:which|what|suggest|recommend|rank|choose|propose|pick|select|find|list|give|need|want|"
    rf"prioriti[sz]e|try|test|any|best|most|design|name|identify|nominate|"
    rf"shortlist)\b[^?.;]{{0,90}}?\b{COMPOUND_NOUN}\b|\b{COMPOUND_NOUN}\b (?:for|against|to|that|active|"
    rf"which|worth|likely|kill)|\bpanel\b|"
    r"what (?:kills|else|works|should we (?:try|give|use|test)|can we (?:try|give|use)|would you (?:try|"
    r"test|give))|what (?:to|could|can) (?:use|try|give|test)|treat(?:ment)? (?:options|for)|"
    r"推荐|建议|想要.{0,14}药|换什么药|种.{0,8}的药|选[出择]?\s*[\d一二两三四五六七八九十]*\s*[个种]|"
    r"哪些(?:化合物|药物?|小分子|抑制剂|已上市|老药|天然产物)|"
    r"什么药|哪(?:几)?种药|哪个药|用药|药物组|一组(?:药物|化合物)|有效的?药物|候选药|治疗方案|"
    r"药物方案|测哪些|试哪些|给.{0,10}药|筛(?:选|出)?.{0,12}(?:药物|"
    r"化合物|小分子|抑制剂)",
    FLAGS,
)


def intent(text: str, items: Sequence[Mention], *, molecular: bool) -> Asked:
    """The first intent that fits; ``molecular``: the readout named is a molecule, not viability."""
    uncounted = COUNTED_MECHANISM.sub(" ", text)
    contexts = [m for m in items if m.of("context")]
    named = [m for m in items if m.of("compound") or m.of("class")]
    rules: tuple[tuple[Asked, Callable[[], bool]], ...] = (
        ("interaction", lambda: bool(INTERACTION.search(_without_background(text)))),
        (
            "selectivity",
            lambda: (
                bool(SELECTIVE.search(text))
                and (bool(contexts) or bool(re.search(r"normal|healthy|wild-?type|正常|健康|野生型", text, FLAGS)))
            ),
        ),
        ("biomarker", lambda: bool(BIOMARKER.search(text))),
        ("mechanism", lambda: bool(MECHANISM.search(uncounted))),
        ("hits", lambda: bool(GENE_HITS.search(text)) or (molecular and not named and bool(PANEL.search(text)))),
        ("panel", lambda: bool(PANEL.search(text)) and not (molecular and named)),
    )
    return next((name for name, fits in rules if fits()), "response")


def _without_background(text: str) -> str:
    """Without phrases that only sound like interactions of perturbations."""
    return re.sub(
        r"base[- ]pairs?|drug[- ]drug interactions? (?:list|history)|protein[- ]protein interactions?|"
        r"combination (?:chemo)?therapy (?:failed|history)|repair",
        " ",
        text,
        flags=FLAGS,
    )
