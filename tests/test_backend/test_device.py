# SPDX-License-Identifier: GPL-2.0-or-later
import pytest
import torch

from backend.network.device import bf16_is_fast, choose_device, choose_precision, default_batch_size, describe_devices
from backend.network.forward import BatchRunner
from backend.protocol import ErrorCode, SardineError
from tests.test_backend.cards import small_card
from tests.test_backend.standins import ShiftEquivariant

CPU = torch.device("cpu")


def refusal(call, *arguments):
    with pytest.raises(SardineError) as caught:
        call(*arguments)
    assert caught.value.refused
    return caught.value


def test_devices_should_hold_the_cpu_last():
    devices = describe_devices()
    assert devices[-1].name == "cpu"
    assert len({info.name for info in devices}) == len(devices)


def test_auto_should_take_the_first_device_told():
    assert str(choose_device("auto")) == describe_devices()[0].name


def test_cpu_should_always_be_there():
    assert choose_device("cpu") == CPU


@pytest.mark.parametrize("requested", ["cuda:99", "cuda", "mps"])
def test_device_that_is_not_there_should_be_refused_with_those_that_are(requested):
    names = [info.name for info in describe_devices()]
    if requested in names or (requested == "cuda" and "cuda:0" in names):
        pytest.skip(f"this machine has {requested}")
    error = refusal(choose_device, requested)
    assert error.code == ErrorCode.DEVICE_UNAVAILABLE
    assert "cpu" in error.needed


@pytest.mark.parametrize("requested", ["gpu", "", "cuda:", "cuda:x", "cpu:0", "mps:1", "cuda:-1"])
def test_device_that_is_no_device_should_be_refused(requested):
    assert refusal(choose_device, requested).code == ErrorCode.REQUEST_INVALID


def test_precision_asked_for_should_be_taken():
    assert choose_precision("fp32", CPU) == "fp32"
    assert choose_precision("bf16", CPU) == "bf16"
    assert choose_precision("auto", CPU) == ("bf16" if bf16_is_fast(CPU) else "fp32")
    assert refusal(choose_precision, "fp16", CPU).code == ErrorCode.REQUEST_INVALID


@pytest.mark.parametrize(("window", "expected"), [(224, 4), (448, 1), (4096, 1), (32, 196)])
def test_default_batch_should_hold_as_many_pixels_whatever_the_window(window, expected):
    assert default_batch_size(CPU, window) == expected


def test_bf16_should_run_the_network_under_autocast_and_fp32_should_not():
    x, valid = torch.randn(1, 2, 32, 32), torch.ones(1, 4, 4, dtype=torch.bool)
    for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        model = ShiftEquivariant(small_card()).eval()
        runner = BatchRunner(model, CPU, precision, 1, may_use_cpu=False, warn=lambda code, text: None)
        [(_, said)] = runner.run(x, valid)
        assert said.logits.dtype == dtype


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_real_gpu_that_is_full_should_halve_the_batch():
    class Hungry(ShiftEquivariant):
        def forward(self, x, patch_valid, **wanted):
            room = torch.cuda.mem_get_info()[1]
            torch.empty(len(x) * room // 3, dtype=torch.uint8, device=x.device)  # three windows do not fit
            return super().forward(x, patch_valid, **wanted)

    told = []
    runner = BatchRunner(
        Hungry(small_card()).eval(),
        torch.device("cuda:0"),
        "fp32",
        4,
        may_use_cpu=False,
        warn=lambda code, text: told.append(code),
    )
    parts = list(runner.run(torch.randn(4, 2, 32, 32), torch.ones(4, 4, 4, dtype=torch.bool)))
    assert runner.batch_size in (1, 2)
    assert sum(len(said.logits) for _, said in parts) == 4
    assert "batch_halved" in told
