from .processes import follow as follow
from .processes import leading as leading
from .processes import share as share
from .sharding import InStep as InStep
from .team import Team as Team
from .team import join_team as join_team
