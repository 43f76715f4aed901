"""The simulated observatory: raw frames with a known truth, written into a local archive."""

from qcbench.simulate.anomalies import known_anomalies
from qcbench.simulate.catalogue import star_catalogue
from qcbench.simulate.checking import check_simulation
from qcbench.simulate.description import Description, load_description
from qcbench.simulate.observatory import InjectedAnomaly, SimulationResult, simulate, truth_path
from qcbench.simulate.truth import TruthRow

__all__ = [
    "Description",
    "InjectedAnomaly",
    "SimulationResult",
    "TruthRow",
    "check_simulation",
    "known_anomalies",
    "load_description",
    "simulate",
    "star_catalogue",
    "truth_path",
]
