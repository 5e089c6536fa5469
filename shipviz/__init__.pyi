# What `import shipviz` offers, and the modules that it comes from. `__init__.py` reads this file and imports a module when
# one of its names is first used. A name that moves is changed here alone.
__version__: str

from .callback import HeatmapCallback as HeatmapCallback
from .data import get_dls as get_dls
from .datasets import load_ships as load_ships
from .datasets import make_ships as make_ships
from .datasets import ships_data as ships_data
from .data import weighted_f1 as weighted_f1
from .evaluation import compare_methods as compare_methods
from .faithfulness import deletion_insertion as deletion_insertion
from .scores import energy_in_mask as energy_in_mask
from .scores import pointing_game as pointing_game
from .heatmaps import Heatmaps as Heatmaps
from .heatmaps import gradcam as gradcam
from .heatmaps import heatmap as heatmap
from .heatmaps import heatmaps as heatmaps
from .heatmaps import layers as layers
from .heatmaps import overlay as overlay
from .interpretation import ShipInterpretation as ShipInterpretation
from .models import find_model as find_model
from .models import real_ships as real_ships
from .models import train_on as train_on
from .report import demo as demo
from .report import report as report
from .saved_maps import load_maps as load_maps
from .saved_maps import save_maps as save_maps
from .ships import CLASSES as CLASSES
from .ships import render_ship as render_ship
from .stream import stream as stream
from .learners import imagenet_learner as imagenet_learner
from .learners import load_model as load_model
from .learners import predict as predict
from .learners import save_model as save_model
from .learners import trained_learner as trained_learner
from .widgets import HeatmapExplorer as HeatmapExplorer
from .widgets import KernelExplorer as KernelExplorer
from .widgets import StrideExplorer as StrideExplorer
from .widgets import TopLossBrowser as TopLossBrowser
