from .learner_file import import_learner as import_learner
