"""A model as plain data, and its answers by ONNX Runtime alone: bundle, predictor, features, explanations."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
