from .colour import find_accents as find_accents
from .parts import SpokenBox as SpokenBox
from .parts import build_html as build_html
from .parts import build_row as build_row
from .scripted import PageFrame as PageFrame
from .scripted import ScriptedWidget as ScriptedWidget
from .status import Status as Status
from .status import say_share as say_share
