from .sharding import InStep as InStep
from .team import Team as Team
from .team import join_team as join_team
