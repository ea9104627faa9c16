from .recipe import ClassPlan as ClassPlan
from .recipe import CollectOptions as CollectOptions
from .recipe import FileSource as FileSource
from .recipe import Recipe as Recipe
