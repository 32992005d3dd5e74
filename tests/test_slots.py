import multiprocessing
import signal
import time

from anytime_pruning.slots import claim_slot

GPUS = ["gpu-a", "gpu-b"]


def work(folder, slots, log, seconds):
    with claim_slot(GPUS, slots, folder) as place:
        with open(log, "a") as file:
            file.write(f"{time.monotonic()} take {place}\n")
        time.sleep(seconds)
        with open(log, "a") as file:
            file.write(f"{time.monotonic()} leave {place}\n")


def start(count, *arguments):
    context = multiprocessing.get_context("spawn")
    jobs = [context.Process(target=work, args=arguments) for _ in range(count)]
    for job in jobs:
        job.start()
    return jobs


def test_no_more_jobs_than_slots_share_a_gpu(tmp_path):
    """Eight jobs on two pretend GPUs with two slots each: at most two on one at any time, and both GPUs are used."""
    log = tmp_path / "log"
    for job in start(8, tmp_path / "slots", 2, log, 0.5):
        job.join(60)
        assert job.exitcode == 0
    inside = [0, 0]
    most = [0, 0]
    for line in sorted(log.read_text().splitlines(), key=lambda line: float(line.split()[0])):
        _, event, place = line.split()
        inside[int(place)] += 1 if event == "take" else -1
        most[int(place)] = max(most[int(place)], inside[int(place)])
    assert len(log.read_text().splitlines()) == 16
    assert most == [2, 2]


def test_a_killed_job_frees_its_slot(tmp_path):
    log = tmp_path / "log"
    (job,) = start(1, tmp_path / "slots", 1, log, 600)
    while not log.exists() or not log.read_text():
        assert job.is_alive()
        time.sleep(0.05)
    (_, _, taken) = log.read_text().split()
    job_b = start(1, tmp_path / "slots", 1, tmp_path / "log_b", 600)[0]
    while not (tmp_path / "log_b").exists() or not (tmp_path / "log_b").read_text():
        time.sleep(0.05)
    job.kill()
    job.join()
    assert job.exitcode == -signal.SIGKILL
    with claim_slot(GPUS, 1, tmp_path / "slots") as place:
        assert place == int(taken)
    job_b.kill()


def test_who_has_to_wait_is_told(tmp_path, capsys, monkeypatch):
    from anytime_pruning import slots

    waits = []
    with claim_slot(["gpu"], 1, tmp_path) as _:
        monkeypatch.setattr(slots.time, "sleep", lambda seconds: waits.append(seconds) or 1 / 0)
        try:
            with claim_slot(["gpu"], 1, tmp_path):
                raise AssertionError("the slot was taken twice")
        except ZeroDivisionError:
            pass
    assert waits == [slots.POLL_S]
    assert capsys.readouterr().out == "waiting for one of 1 GPU slots (execution.gpu_slots: 1)\n"
