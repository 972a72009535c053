"""What stands beside the map, as HTML: pure functions of what is open and what was chosen, one a pane."""

from .compare_pane import compare as compare
from .mistakes_pane import mistakes as mistakes
from .point_card import point as point
from .scores_pane import scores as scores
from .selection_pane import selection as selection
