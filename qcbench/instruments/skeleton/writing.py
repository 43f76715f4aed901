"""The files of a first pack, from a survey of raw frames: commented, and ready to be checked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from string import Template

from qcbench.instruments.keys import KeySpec
from qcbench.instruments.skeleton.survey import Kind, Survey, folded

FILES = (
    "instrument.yaml",
    "rules.oca",
    "names.yaml",
    "qc1.yaml",
    "scores.yaml",
    "keys.yaml",
    "breakpoints.yaml",
    "filters.yaml",
)
# what a pack shows where no frames were given
EXAMPLE = Survey(
    instrume=(),
    prefix="",
    kinds=(
        Kind("CALIB", "BIAS", "IMAGE", 0, "BIAS", "bias", ("DET.READ.SPEED", "DET.WIN1.BINX")),
        Kind("CALIB", "FLAT,SKY", "IMAGE", 0, "FLAT_SKY", "flat", ("INS.FILT1.NAME", "DET.READ.SPEED")),
        Kind("SCIENCE", "OBJECT", "IMAGE", 0, "SCIENCE", "other", ("INS.FILT1.NAME",)),
    ),
    keys={
        "DET.READ.SPEED": KeySpec(type="text", description="Speed and gain of the readout"),
        "DET.WINi.BINX": KeySpec(type="integer", unit="pix", description="Binning along X"),
        "INS.FILTi.NAME": KeySpec(type="text", description="Name of a filter"),
    },
)
_PLAIN = re.compile("[A-Za-z][A-Za-z0-9_-]*")
_SHOWN = ("NAME", "SPEED", "MODE")
_RECIPES = {"bias": "bias", "dark": "dark", "flat": "flat", "arc": "arc"}
_QC: Mapping[str, tuple[tuple[str, str, str, str, str], ...]] = {
    "bias": (
        ("ron", "QC.RON.MED", "adu", "KPI", "Readout noise from pairs of biases"),
        ("level", "QC.BIAS.MED", "adu", "HC", "Median of the master bias"),
    ),
    "dark": (
        ("ron", "QC.RON.MED", "adu", "KPI", "Readout noise from pairs of darks"),
        ("level", "QC.DARK.MED", "adu", "HC", "Median of the master dark"),
        ("n_hot", "QC.DARK.NBADPIX", "pix", "ENG", "Number of hot pixels"),
    ),
    "flat": (
        ("level", "QC.FLAT.MEDMEAN", "adu", "HC", "Mean of the medians of the raw flats"),
        ("flat_rms", "QC.FLATRMS", "", "CAL", "Rms of the normalised master flat"),
    ),
    "arc": (
        ("fwhm", "QC.ARC.FWHM.MED", "pix", "HC", "Median FWHM of the lines"),
        ("saturated", "QC.ARC.SATFRAC", "", "CAL", "Fraction of saturated pixels"),
    ),
}


def skeleton_texts(name: str, code: str, survey: Survey) -> dict[str, str]:
    """Return the text of each file of a pack.

    Parameters
    ----------
    code : str
        Two letters with which the names of products begin.
    """
    full = survey if survey.instrume else Survey((name.upper(),), name.upper(), EXAMPLE.kinds, EXAMPLE.keys)
    values = {
        "name": name,
        "title": json.dumps(full.instrume[0])[1:-1],
        "title_value": _scalar(full.instrume[0]),
        "code": code,
        "prefix": full.prefix if survey.instrume else name.upper().replace("_", ""),
        "instrume": json.dumps(list(full.instrume)),
        "saturation": "saturation_adu: 65535" if full.unsigned16 else "# saturation_adu: 65535",
        "report_keys": _flow(
            ["OBJECT", "DPR.CATG", "DPR.TYPE", "TPL.EXPNO", "TPL.NEXP", "EXPTIME", *_shown(full)]
        ),
        "setups": _below(_setups(full.kinds)),
        "recipes": _below(_recipes(name, full.kinds)),
        "products": _below(_products(full.kinds)),
        "tables": _below(_tables(name, full)),
        "scores": _below(_scores(name, full.kinds), empty=" []"),
        "keys": _below(_keys(full.keys)),
        "classifiers": "\n".join(_classifiers(full)),
        "organizers": "\n".join(_organizers(full.kinds)),
        "actions": "\n".join(_actions(name, full.kinds)),
    }
    folder = files(__package__) / "files"
    return {
        file: Template((folder / f"{file}.txt").read_text(encoding="utf-8")).substitute(values)
        for file in FILES
    }


def product_of(kind: Kind) -> str:
    """Return the PRO.CATG of the product of a kind of frames; nothing where no recipe is known."""
    if kind.role == "other":
        return ""
    return f"{kind.raw_type}_SPECTRUM" if kind.role == "arc" else f"MASTER_{kind.raw_type}"


def _scalar(text: str) -> str:
    """Return a text as YAML takes it; in quotes where it must be."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _below(lines: Iterable[str], empty: str = " {}") -> str:
    """Return lines of YAML that stand below a key; what the key has where there are none."""
    found = list(lines)
    return "\n" + "\n".join(f"  {line}" for line in found) if any(x[:1] != "#" for x in found) else empty


def _flow(words: Iterable[str]) -> str:
    return f"[{', '.join(words)}]"


def _shown(survey: Survey) -> list[str]:
    keys = dict.fromkeys(key for kind in survey.kinds for key in kind.setup)
    return [key for key in keys if key.rpartition(".")[2] in _SHOWN]


def _parameters(kind: Kind) -> str:
    """Return setup keys with a prefix for each value that is a number."""
    parts = []
    for key in kind.setup:
        word = key.rpartition(".")[2]
        parts.append(f"{{key: {key}}}" if word in _SHOWN else f"{{key: {key}, prefix: {word}}}")
    return _flow(parts)


def _processed(kinds: Sequence[Kind]) -> list[Kind]:
    return [kind for kind in kinds if kind.catg in ("CALIB", "SCIENCE")]


def _measured(kinds: Sequence[Kind]) -> list[Kind]:
    return [kind for kind in kinds if product_of(kind)]


def _setups(kinds: Sequence[Kind]) -> Iterable[str]:
    for kind in _processed(kinds):
        if kind.setup:
            yield f"{kind.raw_type}: {_parameters(kind)}"
        else:
            yield f"# {kind.raw_type}: [{{key: …}}]   these frames have one setup"
        if kind.also:
            yield f"#   these change from template to template, too: {', '.join(kind.also)}"


def _recipes(name: str, kinds: Sequence[Kind]) -> Iterable[str]:
    for kind in _measured(kinds):
        parameters = {"raw_tags": kind.raw_type, "product_category": product_of(kind)}
        if kind.role == "flat":
            parameters |= {"bias_tag": _tags(kinds, "bias"), "dark_tag": _tags(kinds, "dark")}
            parameters = {key: value for key, value in parameters.items() if value}
        elif kind.role == "dark" and _tags(kinds, "bias"):
            parameters["bias_tag"] = _tags(kinds, "bias")
        elif kind.role == "arc" and (tags := _tags(kinds, "bias") or _tags(kinds, "dark")):
            parameters["bias_tag"] = tags
        given = ", ".join(f"{key}: {json.dumps(value)}" for key, value in parameters.items())
        more = ", bpm: false, lthr: 1000.0, hthr: 60000.0" if kind.role == "flat" else ""
        yield f"{name}_{kind.raw_type.lower()}:"
        yield f"  engines: [{{engine: python, recipe: {_RECIPES[kind.role]}, parameters: {{{given}{more}}}}}]"


def _tags(kinds: Sequence[Kind], role: str) -> str:
    return ",".join(product_of(kind) for kind in kinds if kind.role == role)


def _products(kinds: Sequence[Kind]) -> Iterable[str]:
    taken: set[str] = set()
    for kind in _measured(kinds):
        letter, word = ("P" if kind.role == "arc" else "M"), kind.raw_type.replace("_", "")
        longer = (f"{letter}{word[:length]}" for length in range(3, 8))
        numbered = (f"{letter}{word[:3]}{number}" for number in range(2, 1000))
        code = next(code for code in (*longer, *numbered) if code not in taken)
        taken.add(code)
        unit = "" if kind.role == "flat" else "unit: adu, "
        yield f"{product_of(kind)}: {{code: {code}, {unit}parameters: {_parameters(kind)}}}"


def _tables(name: str, survey: Survey) -> Iterable[str]:
    # frames with pixels in the primary HDU have one detector, whose name is free
    where = "extension" if survey.extensions else "file"
    detectors = f"{{names: {json.dumps(list(survey.extensions) or ['CHIP1'])}, found_in: {where}}}"
    for kind in _measured(survey.kinds):
        yield f"{name}_{kind.raw_type.lower()}:"
        yield f"  raw_types: [{kind.raw_type}]"
        yield f"  product: {product_of(kind)}"
        yield f"  description: Products of {kind.raw_type}"
        yield f"  detectors: {detectors}"
        yield "  columns:"
        for key in kind.setup:
            column = key.lower().replace(".", "_").replace("-", "_")
            spec = next((spec for known, spec in survey.keys.items() if _same(known, key)), None)
            kind_of = (
                spec.type if spec and spec.type != "logical" else "float" if key == "EXPTIME" else "text"
            )
            unit = spec.unit if spec else "s" if key == "EXPTIME" else ""
            text = json.dumps((spec.description if spec else "") or key, ensure_ascii=False)
            yield (
                f"    - {{name: {column}, key: {key}, unit: {json.dumps(unit)}, kind: FILTER, type: {kind_of}, "
                f"description: {text}}}"
            )
        for column, key, unit, level, text in _QC[kind.role]:
            yield (
                f"    - {{name: {column}, key: {key}, unit: {json.dumps(unit)}, kind: {level}, "
                f"description: {text}}}"
            )


def _same(pattern: str, key: str) -> bool:
    return pattern in (key, folded(key))


def _scores(name: str, kinds: Sequence[Kind]) -> Iterable[str]:
    for kind in _measured(kinds):
        for column, _, _, level, _ in _QC[kind.role]:
            if level == "KPI":
                yield f"- table: {name}_{kind.raw_type.lower()}"
                yield f"  parameter: {column}"
                yield "  remedy: Compare with the readout noise of other setups; look at the raw frames"
                limits = "valid_from: 2000-01-01, low: 0.1, high: 100.0"
                yield f"  thresholds: [{{{limits}, why: wide limits to begin with}}]"


def _keys(keys: Mapping[str, KeySpec]) -> Iterable[str]:
    for name, spec in keys.items():
        unit = f"unit: {json.dumps(spec.unit, ensure_ascii=False)}, " if spec.unit else ""
        text = json.dumps(spec.description, ensure_ascii=False)
        yield f"{name}: {{type: {spec.type}, {unit}description: {text}}}"


def _oca(text: str) -> str:
    """Return a text that may stand in the quotes of a rule; what can't becomes a pattern."""
    return "".join("%" if char == '"' or not char.isprintable() else char for char in text)


def _equal(key: str, text: str) -> str:
    value = _oca(text)
    return f'{key} {"==" if value == text else "like"} "{value}"'


def _classifiers(survey: Survey) -> Iterable[str]:
    root = min(survey.instrume, key=len)
    instrume = f'INSTRUME like "{_oca(root)}%"' if len(survey.instrume) > 1 else _equal("INSTRUME", root)
    for kind in survey.kinds:
        pairs = (("DPR.CATG", kind.catg), ("DPR.TYPE", kind.type), ("DPR.TECH", kind.tech))
        conditions = " and ".join([instrume, *(_equal(key, value) for key, value in pairs if value)])
        if kind.n_frames:
            yield f"\n// {kind.n_frames} of the frames"
        else:
            yield ""
        yield f"if {conditions} then"
        yield f'{{\n    RAW.TYPE = "{kind.raw_type}";\n    DO.CATG  = "{kind.raw_type}";\n}}'
    yield ""


def _organizers(kinds: Sequence[Kind]) -> Iterable[str]:
    if not _processed(kinds):
        yield '// minRet = 1;\n// select execute(BIAS) from inputFiles where RAW.TYPE == "BIAS" group by TPL.START;\n'
        return
    for kind in _processed(kinds):
        keys = ",".join(["TPL.START", *kind.setup])
        yield f'\nminRet = 1;\nselect execute({kind.raw_type}) from inputFiles where RAW.TYPE == "{kind.raw_type}"'
        yield f"    group by {keys} as (TPL_A,tpl);"
    yield ""


def _actions(name: str, kinds: Sequence[Kind]) -> Iterable[str]:
    for kind in _processed(kinds):
        yield f"\naction {kind.raw_type}\n{{"
        yield from _associations(kind, kinds)
        product = product_of(kind)
        if product:
            yield f"    recipe {name}_{kind.raw_type.lower()};"
            yield f'    product {product} {{ PRO.CATG = "{product}"; PRO.EXT = "tpl_0000.fits"; }}'
        else:
            yield "    // recipe NAME;   until there is one, ABs are made and not processed"
            yield '    // product CATEGORY { PRO.CATG = "CATEGORY"; PRO.EXT = "tpl_0000.fits"; }'
        yield "}"


def _associations(kind: Kind, kinds: Sequence[Kind]) -> Iterable[str]:
    """Give the masters that frames of a kind need: of biases, else of darks, with the same readout."""
    if kind.role == "bias" or (kind.role == "other" and kind.catg != "SCIENCE"):
        return
    masters = [other for other in kinds if other.role == "bias"]
    if not masters and kind.role != "dark":
        masters = [other for other in kinds if other.role == "dark"]
    for master in masters:
        yield "    minRet = 0; maxRet = 1;"
        yield f'    select file as {product_of(master)} from calibFiles where PRO.CATG == "{product_of(master)}"'
        for key in master.setup:
            if key.startswith("DET."):
                yield f"        and inputFile.{key} == {key}"
        yield "        and MJD-OBS between inputFile.MJD-OBS - 7.0 and inputFile.MJD-OBS + 7.0"
        yield "        and MJD-OBS tryBetween inputFile.MJD-OBS - 1.5 and inputFile.MJD-OBS + 1.5;"
        yield ""
