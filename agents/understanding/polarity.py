"""What is ruled out, and which way a readout is wanted to go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from .link import Mention
from .text import FLAGS

Direction = Literal["up", "down"]

# a gene followed by these is a feature of the cells, not something done to them
GENOTYPE = re.compile(
    r"^[\s-]*(?:mutants?|mutations?|mutated|mut\b|V600\w?|G12\w|wild-?type|WT\b|status|positive|"
    r"negative|amplifi\w+|amp\b|"
    r"deleted|deficien\w+|null\b|fusions?|rearrange\w+|translocat\w+|high\b|low\b|overexpressing|"
    r"-driven|driven|-addicted|"
    r"ITD|[A-Z]\d{2,4}[A-Z]\b|exon|突变|阳性|阴性|野生型|扩增|缺失型|缺陷|融合|重排|双打击|高表达|"
    r"低表达|依赖型|-?/-)",
    FLAGS,
)

# words before a name that rule it out; the second group only where something to use instead is asked for
RULED_OUT = re.compile(
    r"\b(?:no|not|non|(?<!or )without|avoid(?:ing)?|exclud(?:e|es|ed|ing)|except(?:ing)?(?: for)?|"
    r"other than|apart from|skip(?:ping)?|omit(?:ting)?|"
    r"leave out|leaving out|rather than|instead of|nothing (?:like|from|that targets)|don'?t (?:use|"
    r"want|include|give|suggest)|do not (?:use|want|include|give|suggest)|"
    r"cannot (?:have|take|tolerate|receive|use|get|be given)|can'?t (?:have|take|tolerate|receive|use|"
    r"get)|must not (?:have|get|receive|use)|"
    r"never|minus|allergic to|allergy to|hypersensitiv\w* to|intoleran\w+ (?:to|of)|"
    r"contraindicat\w*:?|ban(?:s|ned)?|off the table:?|"
    r"reaction to|anaphyla\w+ (?:to|on|after|with))\s+(?:(?:any|the|a|an|more|other|further|all|of|"
    r"use|drugs?|like|targeting|that|targets?|hit|hits|to|both|either)\s+)*$"
    r"|(?:不要|不用|不能用|不能使用|不可用|不能接受|不考虑|不使用|不含|不包括|不想用|不得使用|避免|"
    r"避开|避免使用|排除|剔除|除了|除|禁用|勿用|别用|无需|不能耐受|不耐受|非|不选|去掉)(?:使用|任何|"
    r"所有|用|了)?\s*$",
    FLAGS,
)
FAILED = re.compile(
    r"\b(?:refractory to|resistan(?:t|ce) to|progress(?:ed|ing|ion) (?:on|after|under|through|"
    r"despite)|relaps(?:ed|ing|e) (?:after|on|following|under)|fail(?:ed|ing|ure)?(?: of| on| after|"
    r" to respond to| with)?|"
    r"no longer respond(?:s|ing)? to|stopped responding to|not respond(?:ing)? to|unresponsive to|"
    r"did not respond to|didn'?t respond to|non-?responsive to|"
    r"not tolerat(?:e|ed|ing)|did not tolerate|lost response to|escaped|insensitive to|"
    r"after failure of|previously treated with|pretreated with)\s+(?:(?:the|first-line|frontline|"
    r"prior|both|standard|previous|\d+ lines of)\s+)*$"
    r"|(?:耐受不了|对|用过|服用|经|既往用)\s*$",
    FLAGS,
)
AFTER_OUT = re.compile(
    r"^\s*(?:is|are|was|were)?\s*(?:out\b|excluded|not (?:an option|possible|allowed|tolerated)|"
    r"off the table|ruled out|contraindicated|allerg(?:y|ic)|aside|apart|intoleran\w+|to be avoided|"
    r"除外|以外|之外|过敏|不耐受|禁忌|不能用|不可用|不考虑)",
    FLAGS,
)
AFTER_FAILED = re.compile(
    r"^\s*(?:has |have )?(?:-\s*)?(?:failed|failure|refractory|resistan(?:t|ce)|naive no|progressed|"
    r"relapsed|no longer works|stopped working|耐药|治疗失败|失败|治疗无效|无效|治疗后(?:复发|进展|"
    r"失败)|后(?:复发|进展)|复发|进展|抵抗|不再有效|难治)",
    FLAGS,
)
LIST_JOIN = re.compile(
    r"^\s*(?:,|/|&|\+|and|or|nor|、|,|和|与|及|或|以及|,\s*(?:and|or))\s*(?:(?:any|the|other|all|no)\s+)?$", FLAGS
)
LEAVE_THAT = re.compile(
    r"(?:leave|keep|rule) (?:that|it|this|those|them)(?: one)? out|(?:that|it) (?:one )?is out|"
    r"so not that|avoid (?:that|it)",
    FLAGS,
)


def excluded(text: str, items: Sequence[Mention], *, failed_too: bool) -> list[Mention]:
    """Names that are ruled out; ``failed_too``: what has failed counts, because something instead is asked for."""
    out: list[Mention] = []
    for i, item in enumerate(items):
        if item.of("gene") and GENOTYPE.search(text[item.end :][:20]):
            continue
        before, after = text[: item.begin][-60:], text[item.end :][:24]
        clause = re.split(r"[;.。；!?]", before)[-1]
        if RULED_OUT.search(clause) or AFTER_OUT.search(after) or _chinese_against(clause, after):
            out.append(item)
        elif failed_too and (
            (FAILED.search(clause) and not _plain_dui(clause))
            or AFTER_FAILED.search(after)
            or _chinese_failed(clause, after)
        ):
            out.append(item)
        elif (
            i
            and items[i - 1] in out
            and LIST_JOIN.search(text[items[i - 1].end : item.begin])
            and _same_sort(items[i - 1], item)
        ):
            out.append(item)
    # a list that ends in the words: "A、B均耐药", "A and B failed"
    for i in range(len(items) - 2, -1, -1):
        ends = items[i + 1]
        if ends in out and items[i] not in out and _same_sort(items[i], ends):
            own = (
                AFTER_OUT.search(text[ends.end :][:24])
                or (failed_too and AFTER_FAILED.search(text[ends.end :][:24]))
                or _both(text[ends.end :][:10])
            )
            if own and LIST_JOIN.search(text[items[i].end : ends.begin]):
                out.append(items[i])
    if LEAVE_THAT.search(text):
        place = LEAVE_THAT.search(text).start()  # type: ignore[union-attr]
        earlier = [m for m in items if m.end <= place and m.of("compound")]
        if earlier and earlier[-1] not in out:
            out.append(earlier[-1])
    return out


def _both(after: str) -> bool:
    return bool(re.match(r"\s*(?:均|都|皆)", after))


def _same_sort(a: Mention, b: Mention) -> bool:
    return bool({"compound", "class"} & a.kinds) == bool({"compound", "class"} & b.kinds)


def _plain_dui(clause: str) -> bool:
    """Chinese 对 alone is "towards": only with the words after the name does it rule out."""
    return bool(re.search(r"(?:对|用过|服用|经|既往用)\s*$", clause))


def _chinese_against(clause: str, after: str) -> bool:
    return bool(re.search(r"(?:对)\s*$", clause) and re.match(r"\s*(?:过敏|不耐受|严重过敏)", after))


def _chinese_failed(clause: str, after: str) -> bool:
    return bool(
        re.search(r"(?:对|用过|服用|经|既往用|接受)\s*$", clause)
        and re.match(r"\s*(?:均|都)?\s*(?:耐药|无效|无反应|无应答|失败|治疗后|治疗失败|治疗无效|不敏感|抵抗)", after)
    )


UP = (
    r"rais(?:e|es|ed|ing)|increas\w*|elevat\w*|induc\w+|up-?regulat\w*|boost\w*|enhanc\w*|rebound\w*|"
    r"restor\w*|rescu\w*|promot\w*|go(?:es)? up|went up|gain\w*|higher|protect\w*|resistan\w+|resist|"
    r"survive|keep\w* \w* ?\w* ?alive|stay\w* alive|activates?|turn(?:s|ed)? on|switch(?:es)? on|"
    r"push\w*|drive|drives|stabili[sz]\w+|recover\w*|expan(?:d|sion)\w*|accumulat\w*|potentiat\w*|"
    r"rise|rises|up\b|more resistant|outgrow\w*|tolerat\w+|evade\w*|escape"
)
UP_ZH = r"升高|提高|增加|增强|上调|诱导|激活(?!剂)|促进|反弹|恢复|保护|抵抗|耐药|耐受|上升|升|扩增|增高|存活下来|抗性"
DOWN = (
    r"lower\w*|reduc\w*|decreas\w*|inhibits?\b|inhibited\b|inhibiting\b|suppress\w*|block(?:s|ed|"
    r"ing)?\b|silenc\w*|down-?regulat\w*|shut\w*|kill\w*|drop\w*|fall|falls|lose|loses|"
    r"loss(?= of (?:viability|fitness|growth|expression|signal|phospho))|deplet\w*|abolish\w*|"
    r"abrogat\w*|sensiti\w+|essential\w*|go(?:es)? down|blunt\w*|attenuat\w*|prevent\w*|toxic\w*|"
    r"cytotoxic\w*|die|dies|death|lethal\w*|dampen\w*|diminish\w*|quench\w*|knocks? down|impair\w*|"
    r"slow\w*|arrest\w*|eliminat\w*|vulnerab\w+|dependen(?:cy|cies)|responders?|dropout|drop out|"
    r"clear(?:s|ed)? out|turns? off|switch(?:es)? off|weaken\w*|eradicat\w*|wipe\w*"
)
DOWN_ZH = (
    r"降低|下降|减少|减弱|抑制(?!剂)|下调|杀伤|杀死|杀灭|阻断(?!剂)|关闭|敏感|致死|必需|丧失|死亡|清除|"
    r"毒性|有毒|削弱|消除|缺失后死|依赖性"
)
FLIPS = re.compile(
    r"(?:\b(?:blunt\w*|prevent\w*|antagoni[sz]\w*|block(?:s|ed|ing)?|abolish\w*|abrogat\w*|attenuat\w*|suppress\w*|"
    r"inhibits?|reduc\w*|lower\w*|decreas\w*|delay\w*|diminish\w*|dampen\w*|counteract\w*|revers\w*|"
    r"overcom\w*|weaken\w*|"
    r"protect\w* (?:from|against)|rescu\w*(?: from)?)\b|阻断|抑制|拮抗|减弱|逆转|克服|降低|削弱|阻止|延缓)"
    r"[^,;.。，；?？]{0,32}?(?:\b|(?<=[^A-Za-z]))(?P<noun>inducti\w+|induced|increas\w*|activati\w+|"
    r"kill\w*|rebound\w*|rise|loss|drop|"
    r"decreas\w*|inhibition|suppressi\w+|resistan\w+|toxicity|cytotoxicity|death|upregulation|诱导|"
    r"升高|激活|杀伤|反弹|耐药\w*|上调|毒性|死亡)",
    FLAGS,
)
NOUN_UP = re.compile(
    r"inducti|induced|increas|activati|rebound|rise|resistan|upregul|诱导|升高|激活|反弹|耐药|上调", FLAGS
)
NEUTRAL = re.compile(
    r"\w+-induced|inhibitors?|inhibition of|up or down|increases? or decreases?|rises? or falls?|"
    r"higher or lower|goes up or down|(?:升高|上升|增加|上调)还是(?:降低|下降|减少|下调)|"
    r"(?:CRISPRa)?激活(?=\s*[A-Z])|sensitivity analysis|resistant (?:line|cells)|time-?course|"
    r"dose[- ]response|raise\w* questions|essential hypertension|"
    r"activated by CRISPRa|CRISPR activation|are activated|is activated|activated|when both|"
    r"MEK inhibition|RAF inhibition|knock(?:ed)?[- ]?down|follow[- ]?up|pick[- ]?up|set[- ]?up|"
    r"warm[- ]?up|up to|激活型|抑制剂|激活剂|阻断剂|敲低",
    FLAGS,
)


def direction(text: str) -> Direction | None:
    """The way asked for, net of everything named: "blunt the induction" is down, "antagonise the killing" up."""
    flipped = FLIPS.search(text)
    if flipped:
        return "down" if NOUN_UP.search(flipped["noun"]) else "up"
    plain = NEUTRAL.sub(lambda m: " " * len(m[0]), text)
    words = (("up", rf"\b(?:{UP})\b|{UP_ZH}"), ("down", rf"\b(?:{DOWN})\b|{DOWN_ZH}"))
    hits = [(m.start(), way) for way, pattern in words for m in re.finditer(pattern, plain, FLAGS)]
    return min(hits)[1] if hits else None  # type: ignore[return-value]
