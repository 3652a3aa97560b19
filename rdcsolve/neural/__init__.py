"""Neural compression systems: the paper's experiment on images, set beside what no system can beat (extra `neural`)."""

from rdcsolve.errors import MissingExtra

try:
    import torch as _torch  # noqa: F401
except ImportError as missing:
    raise MissingExtra.of("neural", "rdcsolve.neural") from missing

from rdcsolve.neural.classifier import train_classifier
from rdcsolve.neural.devices import device_of
from rdcsolve.neural.evaluation import Estimate, evaluate
from rdcsolve.neural.experiment import Experiment, Run
from rdcsolve.neural.figures import figure_6, reconstructions
from rdcsolve.neural.images import Images, load_images
from rdcsolve.neural.limit import Letters, experiment_problem, limit_curve, limit_letters, limit_problem, nearest_letter
from rdcsolve.neural.losses import Weights
from rdcsolve.neural.messages import decoded_messages, message_channel, shared_dithers
from rdcsolve.neural.presets import PRESETS, Preset
from rdcsolve.neural.quantiser import Quantiser
from rdcsolve.neural.standing import Standing, read_codebook, read_standings, standings
from rdcsolve.neural.sweep import classifier_of, read_experiment, read_results, run_experiment
from rdcsolve.neural.system import System, load_system
from rdcsolve.neural.training import Task, train, train_together

__all__ = [
    "PRESETS",
    "Estimate",
    "Experiment",
    "Images",
    "Letters",
    "Preset",
    "Quantiser",
    "Run",
    "Standing",
    "System",
    "Task",
    "Weights",
    "classifier_of",
    "decoded_messages",
    "device_of",
    "evaluate",
    "experiment_problem",
    "figure_6",
    "limit_curve",
    "limit_letters",
    "limit_problem",
    "load_images",
    "load_system",
    "message_channel",
    "nearest_letter",
    "read_codebook",
    "read_experiment",
    "read_results",
    "read_standings",
    "reconstructions",
    "run_experiment",
    "shared_dithers",
    "standings",
    "train",
    "train_classifier",
    "train_together",
]
