from .binder import BinderReport as BinderReport
from .binder import check_binder as check_binder
from .container import Container as Container
from .container import write_container as write_container
from .qr_code import draw_qr as draw_qr
from .qr_code import write_qr as write_qr
