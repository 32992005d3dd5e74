"""Name the kernels that take most of the time of recorded training steps."""

from torch.profiler import ProfilerActivity, profile

from anytime_pruning.machine.devices import choose_device, prepare_process
from anytime_pruning.machine.kernels.bfloat16 import choose_precision
from anytime_pruning.stream.images import ImageSet
from benchmarks.gpu_day.stages import is_recorded, report
from benchmarks.speed.ceiling import synchronize
from benchmarks.speed.variants import make_images, make_loop, make_options

WARM_UP, N_STEPS, N_ROWS = 8, 20, 25


def run(device_name: str, network: str) -> None:
    """Report the table of the profiler, sorted by the time of the kernels themselves."""
    device = choose_device(device_name)
    prepare_process(device, 1)
    on_gpu = device.type == "cuda"
    data = ImageSet.from_arrays(*make_images(), device, crop_padding=4, flip=True)
    variant = make_loop(network, data, make_options(network, choose_precision("auto", device)))
    n_steps = N_STEPS if on_gpu else 2
    variant.train(WARM_UP if on_gpu else 1)
    synchronize(device)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as found:
        variant.train(n_steps)
        synchronize(device)
    order = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    table = found.key_averages().table(sort_by=order, row_limit=N_ROWS, max_name_column_width=90)
    report("steps", n_steps)
    report("recorded", is_recorded(variant.trainer))
    report("kernels", [line.rstrip() for line in table.splitlines()])
