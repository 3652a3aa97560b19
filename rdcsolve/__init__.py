"""Rate-distortion-classification functions of finite sources, each with a certificate.

State a source, its labels and the limits; get the least rate that meets them, between a lower and an upper
bound that prove themselves. Everything is in nats unless a name says otherwise.

Names are loaded on first use (PEP 562), so ``import rdcsolve`` costs next to nothing.

Examples
--------
>>> import rdcsolve as rdc
>>> "solve" in dir(rdc)
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import codes, errors, information, neural, testing, theory
    from . import data as sources
    from .certificates import Certificate
    from .errors import (
        BackendUnavailable,
        FileInUse,
        InternalError,
        InvalidInput,
        MissingExtra,
        OutOfMemory,
        RdcError,
        SaveFailed,
        SolverFailed,
        UnknownOption,
        UnreadableFile,
    )
    from .explore import plot
    from .explore.frames import to_dataframe
    from .explore.sweep import sweep
    from .explore.tradeoff import tradeoff
    from .letters import LetterSpace, SearchedSpace
    from .problems import (
        ClassifierLossLimit,
        DistortionLimit,
        InformationLimit,
        LabelEntropyLimit,
        LossLimit,
        PerceptionLimit,
        Problem,
        RateLimit,
        Source,
        information_bottleneck,
    )
    from .results import Proof, Result, Status
    from .solvers import Alternation, BlahutArimoto, ColumnGeneration, Conic, InteriorPoint
    from .solvers.choose import choose
    from .solvers.many import Solved, solve_arrays, solve_many
    from .solvers.solve import solve
    from .universal import (
        Encoder,
        PerceptionRegion,
        Region,
        Universal,
        achievable_region,
        encoder_from_samples,
        load,
        perception_region,
        restoration,
        universal_rate,
    )

    __version__: str

_MEMBERS = {
    "certificates": ["Certificate"],
    "codes": ["audit"],
    "errors": [
        "BackendUnavailable",
        "FileInUse",
        "InternalError",
        "InvalidInput",
        "MissingExtra",
        "OutOfMemory",
        "RdcError",
        "SaveFailed",
        "SolverFailed",
        "UnknownOption",
        "UnreadableFile",
    ],
    "explore": ["sweep", "to_dataframe", "tradeoff"],
    "letters": ["LetterSpace", "SearchedSpace"],
    "problems": [
        "ClassifierLossLimit",
        "DistortionLimit",
        "InformationLimit",
        "LabelEntropyLimit",
        "LossLimit",
        "PerceptionLimit",
        "Problem",
        "RateLimit",
        "Source",
        "information_bottleneck",
    ],
    "results": ["Proof", "Result", "Status"],
    "solvers": [
        "Alternation",
        "BlahutArimoto",
        "ColumnGeneration",
        "Conic",
        "InteriorPoint",
        "Solved",
        "choose",
        "solve",
        "solve_arrays",
        "solve_many",
    ],
    "universal": [
        "Encoder",
        "PerceptionRegion",
        "Region",
        "Universal",
        "achievable_region",
        "encoder_from_samples",
        "load",
        "perception_region",
        "restoration",
        "universal_rate",
    ],
}
_MODULES = {
    "codes": "codes",
    "errors": "errors",
    "information": "information",
    "neural": "neural",
    "plot": "explore.plot",
    "sources": "data",
    "testing": "testing",
    "theory": "theory",
}
_HOME = {name: module for module, names in _MEMBERS.items() for name in names}

__all__ = [
    "Alternation",
    "BackendUnavailable",
    "BlahutArimoto",
    "Certificate",
    "ClassifierLossLimit",
    "ColumnGeneration",
    "Conic",
    "DistortionLimit",
    "Encoder",
    "FileInUse",
    "InformationLimit",
    "InteriorPoint",
    "InternalError",
    "InvalidInput",
    "LabelEntropyLimit",
    "LetterSpace",
    "LossLimit",
    "MissingExtra",
    "OutOfMemory",
    "PerceptionLimit",
    "PerceptionRegion",
    "Problem",
    "Proof",
    "RateLimit",
    "RdcError",
    "Region",
    "Result",
    "SaveFailed",
    "SearchedSpace",
    "Solved",
    "SolverFailed",
    "Source",
    "Status",
    "Universal",
    "UnknownOption",
    "UnreadableFile",
    "__version__",
    "achievable_region",
    "audit",
    "choose",
    "codes",
    "encoder_from_samples",
    "errors",
    "information",
    "information_bottleneck",
    "load",
    "neural",
    "perception_region",
    "plot",
    "restoration",
    "solve",
    "solve_arrays",
    "solve_many",
    "sources",
    "sweep",
    "testing",
    "theory",
    "to_dataframe",
    "tradeoff",
    "universal_rate",
]


def __getattr__(name: str) -> Any:
    """Load a public name the first time it is asked for, and keep it."""
    if name in _HOME:
        value: Any = getattr(import_module(f".{_HOME[name]}", __name__), name)
    elif name in _MODULES:
        value = import_module(f".{_MODULES[name]}", __name__)
    elif name == "__version__":
        value = _installed_version()
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _installed_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("rdcsolve")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "0+unknown"
