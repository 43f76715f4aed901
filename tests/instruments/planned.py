"""Frames of every raw type of the packs: their keys, and what they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.instruments.pipelines import Header


@dataclass(frozen=True)
class Frame:
    """A frame by its keys DPR.CATG, DPR.TYPE, DPR.TECH and others, its raw type, and its tag (DO.CATG)."""

    catg: str
    type: str
    tech: str
    raw_type: str
    tag: str
    others: Header = field(default_factory=dict)

    @property
    def keys(self) -> Header:
        return {"DPR.CATG": self.catg, "DPR.TYPE": self.type, "DPR.TECH": self.tech} | self.others


Row = tuple[str, str, str, str, str] | tuple[str, str, str, str, str, Header]
SLICER: Header = {"INS.SLIT1.NAME": "SLIC#1"}
PINHOLE: Header = {"INS.SLIT1.NAME": "PINHOLE"}
SPEC: Header = {"TPL.ID": "VIMOS_spec_cal_Dark"}
MOS: Header = {"TPL.ID": "VIMOS_mos_cal_NightCalib"}
IFU: Header = {"TPL.ID": "VIMOS_ifu_cal_NightCalib"}

# DPR.CATG, DPR.TYPE, DPR.TECH, raw type, tag, other keys
HAWKI: list[Row] = [
    ("CALIB", "DARK", "IMAGE", "DARK", "DARK"),
    ("CALIB", "DARK,DETCHECK", "IMAGE", "DETECTOR_NOISE", "DARK"),
    ("CALIB", "FLAT,LAMP,DETCHECK", "IMAGE", "DETECTOR_NOISE", "FLAT_TWILIGHT"),
    ("CALIB", "LINEARITY,DARK,DETCHAR", "IMAGE", "LINEARITY", "DETMON_LAMP_OFF"),
    ("CALIB", "LINEARITY,FLAT,DETCHAR", "IMAGE", "LINEARITY", "DETMON_LAMP_ON"),
    ("CALIB", "FLAT", "IMAGE", "FLAT_TWILIGHT", "FLAT_TWILIGHT"),
    ("CALIB", "FLAT,SKY", "IMAGE", "FLAT_TWILIGHT", "FLAT_TWILIGHT"),
    ("CALIB", "STD", "IMAGE", "STD", "STD"),
    ("CALIB", "STD", "IMAGE,JITTER", "STD", "STD"),
    ("CALIB", "ASTROMETRY,OBJECT", "IMAGE", "DISTORTION", "DISTOR_OBS"),
    ("CALIB", "ASTROMETRY,SKY", "IMAGE", "DISTORTION", "DISTOR_SKY"),
    ("SCIENCE", "OBJECT", "IMAGE", "SCI_IMAGE", "OBJECT"),
    ("SCIENCE", "SKY", "IMAGE", "SCI_IMAGE", "SKY"),
    ("TECHNICAL", "STD", "IMAGE", "TECH_STD", "TEC_STD"),
    ("TECHNICAL", "ASTROMETRY,STD", "IMAGE", "TECH_ASTROMETRY", "TEC_ASTRO"),
    ("TECHNICAL", "FOCUS", "IMAGE", "TECH_FOCUS", "TEC_FOCUS"),
    ("TECHNICAL", "FLAT", "IMAGE", "TECH_FLAT", "TEC_FLAT"),
    ("ACQUISITION", "OBJECT", "IMAGE", "ACQUISITION", "ACQ_IMAGE"),
    ("CALIB", "TEST", "IMAGE", "TEST", "TEST"),
    ("TEST", "OTHER", "IMAGE", "TEST", "TEST"),
]
NACO: list[Row] = [
    ("CALIB", "DARK", "IMAGE", "DARK", "CAL_DARK"),
    ("CALIB", "FLAT,SKY", "IMAGE", "TWILIGHT_FLAT", "CAL_FLAT_TW"),
    ("CALIB", "SKY,FLAT", "IMAGE", "TWILIGHT_FLAT", "CAL_FLAT_TW"),
    ("CALIB", "FLAT,LAMP", "IMAGE", "LAMP_FLAT", "CAL_FLAT_LAMP"),
    ("CALIB", "LAMP,LINEARITY", "IMAGE", "DETECTOR_LINEARITY", "CAL_DETLIN_LAMP"),
    ("CALIB", "OTHER,LINEARITY", "IMAGE", "DETECTOR_LINEARITY", "CAL_DETLIN_DARK"),
    ("CALIB", "FLAT,LAMP,DETCHECK", "IMAGE", "DETECTOR_MONITOR", "DETMON_LAMP_ON"),
    ("CALIB", "DARK,DETCHECK", "IMAGE", "DETECTOR_MONITOR", "DETMON_LAMP_OFF"),
    ("CALIB", "STD", "IMAGE,JITTER", "ZEROPOINT", "CAL_STD_JITTER"),
    ("CALIB", "STD", "IMAGE,CHOPPING", "ZEROPOINT_CHOPPING", "CAL_STD_CHOP"),
    ("CALIB", "PSF-CALIBRATOR", "IMAGE", "PSF", "CAL_PSF"),
    ("CALIB", "FLAT,LAMP", "SPECTRUM", "SPC_LAMP_FLAT", "CAL_FLAT_SPEC"),
    ("CALIB", "WAVE,LAMP", "SPECTRUM", "SPC_ARC", "CAL_ARC_SPEC"),
    ("CALIB", "STD", "SPECTRUM,NODDING", "SPC_STD", "CAL_NOD_SPEC"),
    ("CALIB", "FLAT,LAMP", "POLARIMETRY,WOLLASTON", "POL_LAMP_FLAT", "CAL_FLAT_LAMP_POL"),
    ("CALIB", "FLAT,LAMP", "POLARIMETRY,WIRE_GRID", "POL_LAMP_FLAT", "CAL_FLAT_POL"),
    ("CALIB", "STD", "POLARIMETRY,WOLLASTON,JITTER", "POL_STD", "CAL_STD_POL_WOLLASTON_JITTER"),
    ("CALIB", "STD", "POLARIMETRY,WIRE_GRID,JITTER", "POL_STD", "CAL_JITTER_POL"),
    ("CALIB", "STD", "POLARIMETRY,WOLLASTON,CHOPPING", "POL_STD", "CAL_STD_POL_WOLLASTON_CHOPPING"),
    ("CALIB", "STD", "POLARIMETRY,WIRE_GRID,CHOPPING", "POL_STD", "CAL_CHOP_POL"),
    ("CALIB", "FLAT,LAMP", "CORONOGRAPHY", "CORO_LAMP_FLAT", "CORO_CAL_NIGHTCALIB"),
    ("CALIB", "STD", "CORONOGRAPHY,JITTER", "CORO_STD", "CAL_COR"),
    ("CALIB", "FLAT,SKY", "IMAGE,DIFFERENTIAL", "SDI_FLAT", "SDI_CAL_TWFLATS"),
    ("CALIB", "FLAT,LAMP", "IMAGE,DIFFERENTIAL", "SDI_FLAT", "SDI_CAL_LAMPFLATS"),
    ("CALIB", "WAVE,LAMP", "IMAGE,FABRY-PEROT", "FPI_ARC", "FPI_CAL_ARCS"),
    ("CALIB", "FLAT,LAMP", "IMAGE,FABRY-PEROT", "FPI_FLAT", "FPI_CAL_LAMPFLATS"),
    ("SCIENCE", "OBJECT", "IMAGE,JITTER", "SCI_JITTER", "IM_JITTER_OBJ"),
    ("SCIENCE", "SKY", "IMAGE,JITTER", "SCI_JITTER", "IM_JITTER_SKY"),
    ("SCIENCE", "OBJECT", "IMAGE,CHOPPING", "SCI_CHOPPING", "IM_CHOPPING"),
    ("SCIENCE", "OBJECT", "POLARIMETRY,WIRE_GRID,CHOPPING", "SCI_CHOPPING", "POL_CHOPPING_WIRE_GRID"),
    ("SCIENCE", "OBJECT", "POLARIMETRY,WIRE_GRID,JITTER", "SCI_POL_JITTER", "POL_JITTER_OBJ"),
    ("SCIENCE", "SKY", "POLARIMETRY,WIRE_GRID,JITTER", "SCI_POL_JITTER", "POL_JITTER_SKY"),
    ("SCIENCE", "OBJECT", "POLARIMETRY,WOLLASTON,JITTER", "SCI_POL_WOLLASTON", "POL_JITTER_OBJ_WOLLASTON"),
    ("SCIENCE", "SKY", "POLARIMETRY,WOLLASTON,JITTER", "SCI_POL_WOLLASTON", "POL_JITTER_SKY_WOLLASTON"),
    ("SCIENCE", "OBJECT", "POLARIMETRY,WOLLASTON,CHOPPING", "SCI_POL_WOLLASTON", "POL_CHOPPING_WOLLASTON"),
    ("SCIENCE", "OBJECT", "SPECTRUM,NODDING", "SCI_SPC_NODDING", "SPEC_NODDING"),
    ("SCIENCE", "OBJECT", "SPECTRUM,JITTER", "SCI_SPC_JITTER", "SPEC_JITTEROBJ"),
    ("SCIENCE", "SKY", "SPECTRUM,JITTER", "SCI_SPC_JITTER", "SPEC_JITTERSKY"),
    ("SCIENCE", "OBJECT", "CORONOGRAPHY,JITTER", "SCI_CORO", "COR_JITTER"),
    ("SCIENCE", "SKY", "CORONOGRAPHY,JITTER", "SCI_CORO", "CORO_OBS_ASTRO"),
    ("SCIENCE", "OBJECT", "CORONOGRAPHY,CHOPPING", "SCI_CORO", "COR_CHOPPING"),
    ("SCIENCE", "OBJECT", "IMAGE,DIFFERENTIAL,JITTER", "SCI_SDI", "SDI_OBS_GENERICOFFSET"),
    ("SCIENCE", "SKY", "IMAGE,FABRY-PEROT,JITTER", "SCI_FPI", "FPI_OBS_GENERICOFFSET"),
    ("ACQUISITION", "SKY", "IMAGE", "ACQUISITION", "ACQ_IMAGE"),
    ("ACQUISITION", "OBJECT", "IMAGE", "ACQUISITION", "ACQ_IMAGE"),
    ("TECHNICAL", "SLIT", "IMAGE", "TECH_SLIT", "SLIT_IMG"),
    ("TECHNICAL", "PSF-CALIBRATOR", "IMAGE", "TECH_PSF", "TECH_PSF"),
    ("TECHNICAL", "FOCUS", "IMAGE", "TECH_FOCUS", "TECH_FOCUS"),
    ("TEST", "OTHER", "IMAGE", "TEST", "TEST_DATA"),
]
UVES_BOTH_ARMS: list[Row] = [
    ("CALIB", "BIAS", "IMAGE", "BIAS_{arm}", "BIAS_{arm}"),
    ("CALIB", "DARK", "IMAGE", "DARK_{arm}", "DARK_{arm}"),
    ("CALIB", "PARASITIC", "IMAGE", "PDARK_{arm}", "PDARK_{arm}"),
    ("CALIB", "LAMP,FLAT", "IMAGE", "SCREEN_FLAT_{arm}", "ON_RAW"),
    ("CALIB", "BIAS,DETCHAR", "IMAGE", "LINEARITY_{arm}", "OFF_RAW"),
    ("CALIB", "LAMP,FLAT,DETCHAR", "IMAGE", "LINEARITY_{arm}", "ON_RAW"),
    ("CALIB", "LAMP,FMTCHK", "ECHELLE", "FMTCHK_ECH_{arm}", "ARC_LAMP_FORM_{arm}"),
    ("CALIB", "LAMP,ORDERDEF", "ECHELLE", "ORDERDEF_ECH_{arm}", "ORDER_FLAT_{arm}"),
    ("CALIB", "LAMP,FLAT", "ECHELLE", "EFLAT_ECH_{arm}", "FLAT_{arm}"),
    ("CALIB", "LAMP,DFLAT", "ECHELLE", "DFLAT_ECH_{arm}", "DFLAT_{arm}"),
    ("CALIB", "LAMP,TFLAT", "ECHELLE", "TFLAT_ECH_{arm}", "TFLAT_{arm}"),
    ("CALIB", "LAMP,IFLAT", "ECHELLE,ABSORPTION-CELL", "IFLAT_ECH_{arm}", "IFLAT_{arm}"),
    ("CALIB", "LAMP,WAVE", "ECHELLE", "WAVE_ECH_{arm}", "ARC_LAMP_{arm}"),
    ("CALIB", "LAMP,WAVE", "ECHELLE", "WAVE_ECH_{arm}", "ARC_LAMP_{arm}", SLICER),
    ("CALIB", "STD", "ECHELLE", "STD_ECH_{arm}", "STANDARD_{arm}"),
    ("CALIB", "STD,TELLURIC", "ECHELLE", "STD_TELL_{arm}", "SCI_POINT_{arm}"),
    ("CALIB", "OBJECT,EXTENDED", "ECHELLE", "SOLAR_SPEC_ECH_{arm}", "SCI_EXTND_{arm}"),
    ("CALIB", "FLAT,SKY,EXTENDED", "ECHELLE", "SOLAR_SPEC_ECH_{arm}", "SCI_EXTND_{arm}"),
    ("CALIB", "SKY,RADIAL_VELOCITY", "ECHELLE", "SOLAR_SPEC_ECH_{arm}", "SCI_EXTND_{arm}", SLICER),
    ("CALIB", "OBJECT,EXTENDED", "FLAT,SKY", "SKY_FLAT_{arm}", "SCI_EXTND_FLAT_SKY_OBJ_{arm}"),
    ("CALIB", "TEST", "IMAGE", "TEST", "TEST_IMAGE_{arm}"),
    ("CALIB", "TEST", "ECHELLE", "TEST", "TEST_IMAGE_ECHELLE_{arm}"),
    ("CALIB", "LAMP,CDALIGN", "SPECTRUM", "CDALIGN_{arm}", "CD_ALIGN_{arm}"),
    ("SCIENCE", "OBJECT", "ECHELLE", "SCI_ECH_{arm}", "SCIENCE_{arm}"),
    ("SCIENCE", "OBJECT,POINT", "ECHELLE", "SCI_POINT_ECH_{arm}", "SCI_POINT_{arm}"),
    ("SCIENCE", "OBJECT,EXTENDED", "ECHELLE", "SCI_EXTENDED_ECH_{arm}", "SCI_EXTND_{arm}"),
    ("SCIENCE", "OBJECT", "ECHELLE", "SCI_SLICER_ECH_{arm}", "SCI_SLICER_{arm}", SLICER),
]
UVES_RED_ARM: list[Row] = [
    ("CALIB", "LAMP,DFLAT", "ECHELLE", "DFLAT_ECH_RED", "DFLAT_RED", PINHOLE),
    ("CALIB", "LAMP,SFLAT", "ECHELLE", "SFLAT_MOS_RED", "SFLAT_RED"),
    ("CALIB", "LAMP,FLAT,ODD", "MOS", "FFLAT_MOS_RED", "FIB_FF_ODD_RED"),
    ("CALIB", "LAMP,FLAT,EVEN", "MOS", "FFLAT_MOS_RED", "FIB_FF_EVEN_RED"),
    ("CALIB", "LAMP,FLAT,ALL", "MOS", "FFLAT_MOS_RED", "FIB_FF_ALL_RED"),
    ("CALIB", "LAMP,FLAT,NASMYTH", "MOS", "NFLAT_MOS_RED", "FIB_FF_NASMYTH_RED"),
    ("CALIB", "LAMP,ORDERDEF", "MOS", "ORDERDEF_MOS_RED", "FIB_ORDEF_RED"),
    ("CALIB", "LAMP,FMTCHK", "MOS", "FMTCHK_MOS_RED", "FIB_ARC_LAMP_FORM_RED"),
    ("CALIB", "LAMP,WAVE", "MOS", "WAVE_MOS_RED", "FIB_ARC_LAMP_RED"),
    ("SCIENCE", "OBJECT,OzPoz", "MOS", "SCI_MOS_RED", "FIB_SCI_RED"),
    ("SCIENCE", "OBJECT,SimCal", "MOS", "SCI_MOS_RED", "FIB_SCI_SIM_RED"),
    ("SCIENCE", "OBJECT,COMBINED", "MOS", "SCI_MOS_RED", "FIB_SCI_COM_RED"),
    ("ACQUISITION", "OBJECT", "IMAGE", "ACQUISITION", "ACQUISITION"),
    ("ACQUISITION", "SLIT", "IMAGE", "ACQUISITION", "ACQUISITION_SLIT_RED"),
    ("TEST", "OTHER", "ECHELLE", "TEST", "TEST"),
]
GIRAFFE: list[Row] = [
    ("CALIB", "BIAS", "IMAGE", "BIAS", "BIAS"),
    ("CALIB", "DARK", "IMAGE", "DARK", "DARK"),
    ("CALIB", "LAMP,FLAT", "IMAGE", "IMAGE_FLAT", "IMAGE_FLAT"),
    ("CALIB", "BIAS,DETCHECK", "IMAGE", "DETECTOR_MONITOR", "DETMON_LAMP_OFF"),
    ("CALIB", "LAMP,FLAT,DETCHECK", "IMAGE", "DETECTOR_MONITOR", "DETMON_LAMP_ON"),
    ("CALIB", "LAMP,FLAT", "MOS", "FLAT", "FIBER_FLAT"),
    ("CALIB", "LAMP,FLAT", "IFU", "FLAT", "FIBER_FLAT"),
    ("CALIB", "LAMP,FLAT,NASMYTH", "MOS", "NASMYTH_FLAT", "FIBER_FLAT"),
    ("CALIB", "LAMP,FLAT,NASMYTH", "IFU", "NASMYTH_FLAT", "FIBER_FLAT"),
    ("CALIB", "FLAT,SKY", "MOS", "SKY_FLAT", "SKY_FLAT"),
    ("CALIB", "LAMP,WAVE", "MOS", "ARC", "ARC_SPECTRUM"),
    ("CALIB", "LAMP,WAVE", "IFU", "ARC", "ARC_SPECTRUM"),
    ("CALIB", "STD", "IFU", "STD", "STD"),
    ("CALIB", "SIMLAMP,HAL", "MOS", "SIMCAL", "SIMCAL_FLAT"),
    ("CALIB", "SIMLAMP,TAL", "MOS", "SIMCAL", "SIMCAL_ARC"),
    ("CALIB", "SLITLAMP", "ECHELLE", "SLITLAMP", "SLITLAMP"),
    ("SCIENCE", "OBJECT,OzPoz", "MOS", "SCIENCE", "SCIENCE"),
    ("SCIENCE", "OBJECT,SimCal", "IFU", "SCIENCE", "SCIENCE"),
    ("ACQUISITION", "OBJECT", "IMAGE", "ACQUISITION", "ACQUISITION"),
    ("TEST", "OTHER", "MOS", "TEST", "TEST"),
]
MUSE: list[Row] = [
    ("CALIB", "BIAS", "IFU", "BIAS", "BIAS"),
    ("CALIB", "DARK", "IFU", "DARK", "DARK"),
    ("CALIB", "BIAS,DETCHECK", "IFU", "LINEARITY", "DETMON_LAMP_OFF"),
    ("CALIB", "FLAT,LAMP,LINEARITY,DETCHAR", "IFU", "LINEARITY", "DETMON_LAMP_ON"),
    ("CALIB", "FLAT,LAMP", "IFU", "FLAT", "FLAT", {"TPL.ID": "MUSE_wfm_cal_specflat"}),
    ("CALIB", "FLAT,LAMP,ILLUM", "IFU", "ILLUM", "ILLUM", {"TPL.ID": "MUSE_wfm_cal_illum"}),
    ("CALIB", "WAVE", "IFU", "WAVE", "ARC"),
    ("CALIB", "WAVE,LSF", "IFU", "LSF", "ARC_LSF"),
    ("CALIB", "WAVE,MASK", "IFU", "GEOMETRY", "MASK"),
    ("CALIB", "FLAT,SKY", "IFU", "TWILIGHT", "SKYFLAT"),
    ("CALIB", "STD", "IFU", "STD", "STD"),
    ("CALIB", "ASTROMETRY", "IFU", "ASTROMETRY", "ASTROMETRY"),
    ("TECHNICAL", "FLAT,LAMP,THRUPUT", "IFU", "THRUPUT", "AMPL"),
    ("SCIENCE", "SKY", "IFU", "SKY", "SKY"),
    ("SCIENCE", "OBJECT", "IFU", "SCIENCE", "OBJECT"),
    ("ACQUISITION", "OBJECT", "IMAGE", "ACQ", "ACQUISITION"),
    ("TEST", "OTHER", "IFU", "TEST", "TEST"),
]
VIMOS: list[Row] = [
    ("CALIB", "BIAS", "IMAGE", "BIAS_IMG", "BIAS"),
    ("CALIB", "BIAS", "IMAGE", "BIAS_SPEC", "BIAS", SPEC),
    ("CALIB", "DARK", "IMAGE", "DARK_IMG", "DARK"),
    ("CALIB", "DARK", "IMAGE", "DARK_SPEC", "DARK", SPEC),
    ("CALIB", "BIAS,DETCHECK", "IMAGE", "DETNOISE", "BIAS"),
    ("CALIB", "FLAT,LAMP,DETCHECK", "IMAGE", "DETNOISE", "FLAT_TWILIGHT"),
    ("CALIB", "FLAT,SKY", "IMAGE", "SKYFLAT", "FLAT_TWILIGHT"),
    ("CALIB", "FLAT,LAMP", "IMAGE", "SCREEN_FLAT", "IMG_SCREEN_FLAT", {"TPL.ID": "VIMOS_img_cal_ScreenFlat"}),
    ("CALIB", "FLAT,LAMP", "IMAGE", "LINEARITY", "DETECTOR_PROPERTIES", {"TPL.ID": "VIMOS_img_tec_DetLin"}),
    ("CALIB", "STD", "IMAGE", "STD_IMG", "STD"),
    ("CALIB", "ASTROMETRY", "IMAGE", "ASTROMETRY", "IMG_ASTROMETRY"),
    ("SCIENCE", "OBJECT", "IMAGE", "SCI_IMG", "OBJECT"),
    ("SCIENCE", "OBJECT", "IMAGE,PRE", "SCI_PRE", "OBJECT"),
    ("CALIB", "FLAT,LAMP", "MOS", "MOS_CAL", "MOS_SCREEN_FLAT", MOS),
    ("CALIB", "WAVE,LAMP", "MOS", "MOS_CAL", "MOS_ARC_SPECTRUM", MOS),
    ("CALIB", "STD", "MOS", "STD_MOS", "MOS_STANDARD", MOS),
    ("SCIENCE", "OBJECT", "MOS", "SCI_MOS", "MOS_SCIENCE", MOS),
    ("CALIB", "FLAT,LAMP", "IFU", "IFU_CAL", "IFU_SCREEN_FLAT", IFU),
    ("CALIB", "WAVE,LAMP", "IFU", "IFU_CAL", "IFU_ARC_SPECTRUM", IFU),
    ("CALIB", "STD", "IFU", "STD_IFU", "IFU_STANDARD", IFU),
    ("SCIENCE", "OBJECT", "IFU", "SCI_IFU", "IFU_SCIENCE", IFU),
    ("ACQUISITION", "OBJECT", "IMAGE", "ACQ", "ACQUISITION"),
]
FORS2_IMAGING: list[Row] = [
    ("CALIB", "BIAS", "IMAGE", "BIAS", "BIAS"),
    ("CALIB", "DARK", "IMAGE", "DARK", "DARK"),
    ("CALIB", "FLAT,SKY", "IMAGE", "FLAT_SKY", "SKY_FLAT_IMG"),
    ("CALIB", "FLAT,LAMP", "IMAGE", "FLAT_SCREEN", "SCREEN_FLAT_IMG"),
    ("CALIB", "STD", "IMAGE", "STD_IMA", "STANDARD_IMG"),
    ("SCIENCE", "OBJECT", "IMAGE", "SCI_IMG_2x2_low", "SCIENCE_IMG"),
    ("SCIENCE", "OBJECT", "IMAGE", "SCI_IMG_other", "SCIENCE_IMG", {"DET.WIN1.BINX": 1}),
    (
        "SCIENCE",
        "OBJECT",
        "IMAGE",
        "SCI_IMG_other",
        "SCIENCE_IMG",
        {"DET.READ.CLOCK": "100Kps/2ports/high_gain"},
    ),
    ("ACQUISITION", "OBJECT", "IMAGE", "ACQ", "ACQUISITION"),
]
FORS2_SPECTROSCOPY: list[Row] = [
    ("CALIB", "FLAT,LAMP", "{tech}", "LAMP_{mode}", "SCREEN_FLAT_{mode}"),
    ("CALIB", "WAVE,LAMP", "{tech}", "LAMP_{mode}", "LAMP_{mode}"),
    ("CALIB", "STD", "{tech}", "STD_{mode}", "STANDARD_{mode}"),
    ("SCIENCE", "OBJECT", "{tech}", "SCI_{mode}", "SCIENCE_{mode}"),
]


def _frames(always: Header, rows: Iterable[Row], **words: str) -> list[Frame]:
    """Make frames of rows, with keys that all of them have and words filled in."""
    return [
        Frame(*(text.format(**words) for text in row[:5]), others=always | (row[5] if len(row) > 5 else {}))
        for row in rows
    ]


_UVES: Header = {"INSTRUME": "UVES", "INS.SLIT1.NAME": "FREE"}
_FORS2: Header = {
    "INSTRUME": "FORS2",
    "DET.READ.CLOCK": "200Kps/2ports/low_gain",
    "DET.WIN1.BINX": 2,
    "DET.WIN1.BINY": 2,
}
PLANNED: dict[str, list[Frame]] = {
    "hawki": _frames({"INSTRUME": "HAWKI"}, HAWKI),
    "naco": _frames({"INSTRUME": "NAOS+CONICA"}, NACO),
    "uves": [
        *_frames(_UVES | {"DET.CHIPS": 1}, UVES_BOTH_ARMS, arm="BLUE"),
        *_frames(_UVES | {"DET.CHIPS": 2}, UVES_BOTH_ARMS + UVES_RED_ARM, arm="RED"),
    ],
    "giraffe": _frames({"INSTRUME": "GIRAFFE"}, GIRAFFE),
    "muse": _frames({"INSTRUME": "MUSE", "INS.MODE": "WFM-NOAO-N"}, MUSE),
    "vimos": _frames({"INSTRUME": "VIMOS", "TPL.ID": "VIMOS_img_cal"}, VIMOS),
    "fors2": [
        *_frames(_FORS2, FORS2_IMAGING),
        *_frames(_FORS2, FORS2_SPECTROSCOPY, mode="LSS", tech="SPECTRUM"),
        *_frames(_FORS2, FORS2_SPECTROSCOPY, mode="MOS", tech="MOS"),
        *_frames(_FORS2, FORS2_SPECTROSCOPY, mode="MXU", tech="MXU"),
    ],
}
