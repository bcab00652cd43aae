# SPDX-License-Identifier: GPL-2.0-or-later
import time

import numpy as np
import pytest
import torch
from torch import nn

from backend.classify import classify
from backend.network.forward import BatchRunner, is_out_of_memory
from backend.predict import predict
from backend.protocol import BandSource, ErrorCode, JobRequest, OutputPaths, SardineError
from backend.request_checks import check_outputs
from backend.run_state import Summary
from tests.test_backend.cards import encoder_only_card, small_card
from tests.test_backend.standins import ArrayScene, MemorySink, ShiftEquivariant, layout_for, run, speckled_scene

CARD = small_card()
ALL = ("landcover", "confidence", "probabilities", "attention")


def runner_of(model, batch_size=4, **changes):
    told = []
    settings = {"may_use_cpu": False, "warn": lambda code, text: told.append(code), **changes}
    return BatchRunner(model, torch.device("cpu"), "fp32", batch_size, **settings), told


class Crowded(ShiftEquivariant):
    """A device whose memory holds `capacity` windows, and not even one until `holds_after` tries."""

    def __init__(self, card, capacity):
        super().__init__(card)
        self.capacity = capacity
        self.tried = []

    def forward(self, x, patch_valid, **wanted):
        self.tried.append(len(x))
        if len(x) > self.capacity:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return super().forward(x, patch_valid, **wanted)


class Spoilt(nn.Module):
    """Real outputs, but one value of one pixel or patch is not a number."""

    def __init__(self, card, value, where):
        super().__init__()
        self.inner, self.value, self.where = ShiftEquivariant(card), value, where

    def forward(self, x, patch_valid, **wanted):
        said = self.inner(x, patch_valid, **wanted)
        getattr(said, self.where)[0, 0, 1, 1] = self.value
        return said


def test_classes_should_be_those_of_a_plain_softmax():
    rng = np.random.default_rng(0)
    z = rng.normal(0, 3, (3, 40, 70)).astype(np.float32)
    wanted = rng.random((40, 70)) < 0.8
    found = classify(torch.from_numpy(z), wanted, [10, 50, 80], 2.0, want_probabilities=True)
    p = np.exp(z.astype(float) / 2) / np.exp(z.astype(float) / 2).sum(0)
    np.testing.assert_array_equal(found.landcover, np.where(wanted, np.array([10, 50, 80])[p.argmax(0)], 0))
    assert np.abs(found.confidence[wanted] - 100 * p.max(0)[wanted]).max() <= 0.501
    assert np.abs(found.probabilities[:, wanted] - 250 * p[:, wanted]).max() <= 0.501
    assert (found.confidence[~wanted] == 255).all()
    assert (found.probabilities[:, ~wanted] == 255).all()
    assert found.confidence_sum == pytest.approx(p.max(0)[wanted].sum(), rel=1e-6)


def test_classes_should_not_depend_on_the_chunks(monkeypatch):
    z, wanted = torch.randn(3, 30, 50), np.ones((30, 50), bool)
    whole = classify(z, wanted, [1, 2, 3], 1.0, want_probabilities=False)
    monkeypatch.setattr("backend.classify._CHUNK_PX", {"cpu": 7})
    parts = classify(z, wanted, [1, 2, 3], 1.0, want_probabilities=False)
    np.testing.assert_array_equal(parts.landcover, whole.landcover)
    assert parts.confidence_sum == pytest.approx(whole.confidence_sum)


def test_equal_logits_should_take_the_highest_code_and_share_the_probability():
    found = classify(torch.zeros(4, 1, 1), np.ones((1, 1), bool), [10, 80, 50, 20], 1.0, want_probabilities=True)
    assert found.landcover[0, 0] == 80
    assert found.confidence[0, 0] == 25
    assert found.probabilities[:, 0, 0].tolist() == [62] * 4  # 62.5 rounds to the even number


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_logits_that_are_no_numbers_should_be_noticed_on_wanted_pixels_alone(value):
    z, wanted = torch.zeros(3, 2, 2), np.array([[True, False], [True, True]])
    z[1, 0, 1] = value
    assert classify(z, wanted, [1, 2, 3], 1.0, want_probabilities=False).finite
    z[1, 1, 1] = value
    assert not classify(z, wanted, [1, 2, 3], 1.0, want_probabilities=False).finite


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("where", ["logits", "attention"])
def test_output_that_is_no_number_should_fail_the_run(value, where):
    with pytest.raises(SardineError) as caught:
        run(ArrayScene(speckled_scene(64, 64)), Spoilt(CARD, value, where), CARD)
    assert caught.value.code == ErrorCode.MODEL_OUTPUT_NOT_FINITE
    assert not caught.value.refused


def test_encoder_alone_should_give_attention_and_count_valid_pixels():
    card = encoder_only_card()
    db = speckled_scene(50, 64)
    db[:, :10] = np.nan
    sink, summary = run(ArrayScene(db), ShiftEquivariant(card), card, "attention")
    attention = sink.raster("attention")
    assert attention.shape == (3, 7, 8)
    assert attention.dtype == np.float32
    np.testing.assert_allclose(attention[0], attention[1:].mean(0), rtol=1e-6)
    assert np.isnan(attention[:, 0]).all()  # patches of rows 0 to 7 hold no data; those of 8 to 15 some
    assert np.isfinite(attention[:, 1:]).all()
    assert (summary.valid_px, summary.mean_confidence_percent, summary.class_px) == (40 * 64, None, {})


def test_only_the_outputs_asked_for_should_be_made():
    sink, summary = run(ArrayScene(speckled_scene(40, 40)), ShiftEquivariant(CARD), CARD, "confidence")
    assert sink.raster("confidence").shape == (1, 40, 40)
    assert summary.mean_confidence_percent == pytest.approx(sink.raster("confidence").mean(), abs=0.5)


def test_scene_without_a_valid_pixel_should_run_no_window():
    model = ShiftEquivariant(CARD)
    sink, summary = run(ArrayScene(np.full((2, 70, 70), np.nan)), model, CARD)
    assert model.batches == []
    assert (summary.valid_px, summary.windows_run) == (0, 0)
    assert summary.mean_confidence_percent is None
    assert not sink.raster("landcover").any()
    assert np.isnan(sink.raster("attention")).all()


def test_batches_should_be_as_large_as_asked():
    model = ShiftEquivariant(CARD)
    run(ArrayScene(speckled_scene(32, 32 * 7)), model, CARD, overlap=0.0, batch_size=3)
    assert model.batches == [3, 3, 1]


# Memory


def test_short_memory_should_halve_the_batch_and_keep_the_map():
    scene, model = ArrayScene(speckled_scene(70, 300)), Crowded(CARD, capacity=3)
    runner, told = runner_of(model, batch_size=8)
    sink = MemorySink(*ALL)
    predict(scene, runner, CARD, layout_for(scene, CARD), sink, progress=lambda _: None, cancelled=lambda: False)
    assert runner.batch_size == 2
    assert told == ["batch_halved", "batch_halved"]
    assert model.tried[:3] == [8, 4, 2]
    assert max(model.tried[3:]) == 2
    plain, _ = run(scene, ShiftEquivariant(CARD), CARD)
    for name in ALL:
        np.testing.assert_array_equal(sink.raster(name), plain.raster(name))


def test_memory_that_holds_no_window_should_fail_clearly():
    scene = ArrayScene(speckled_scene(40, 40))
    runner, _ = runner_of(Crowded(CARD, capacity=0), may_use_cpu=True)  # it is the CPU that is short: nowhere to go
    with pytest.raises(SardineError) as caught:
        predict(scene, runner, CARD, layout_for(scene, CARD), MemorySink(*ALL), progress=print, cancelled=lambda: False)
    assert caught.value.code == ErrorCode.OUT_OF_MEMORY
    assert not caught.value.refused


class NoRoomHere(ShiftEquivariant):
    """Runs out of memory wherever its weights lie on the meta device, which stands for a crowded GPU."""

    def forward(self, x, patch_valid, **wanted):
        if x.device.type == "meta":
            raise torch.OutOfMemoryError("out of memory")
        return super().forward(x, patch_valid, **wanted)

    def to(self, device):  # the weights stay where they are: meta tensors could not come back
        return self


def crowded_gpu(may_use_cpu):
    told = []
    runner = BatchRunner(
        NoRoomHere(CARD).eval(),
        torch.device("meta"),
        "fp32",
        2,
        may_use_cpu=may_use_cpu,
        warn=lambda code, text: told.append(code),
    )
    return runner, told


def test_cpu_should_take_over_where_the_device_was_chosen_by_auto():
    runner, told = crowded_gpu(may_use_cpu=True)
    x, valid = torch.randn(3, 2, 32, 32), torch.ones(3, 4, 4, dtype=torch.bool)
    parts = list(runner.run(x, valid))
    assert [first for first, _ in parts] == [0, 1, 2]
    assert runner.device.type == "cpu"
    assert told == ["batch_halved", "device_left"]
    expected = ShiftEquivariant(CARD)(x, valid).logits
    torch.testing.assert_close(torch.cat([said.logits for _, said in parts]), expected)


def test_device_asked_for_should_not_be_left_silently():
    runner, _ = crowded_gpu(may_use_cpu=False)
    with pytest.raises(SardineError) as caught:
        list(runner.run(torch.randn(1, 2, 32, 32), torch.ones(1, 4, 4, dtype=torch.bool)))
    assert caught.value.code == ErrorCode.OUT_OF_MEMORY
    assert "cpu" in caught.value.action


def test_out_of_memory_should_be_told_from_other_errors():
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory")
    )
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_really_too_large_an_allocation_should_count_as_out_of_memory():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert is_out_of_memory(caught.value)


# Cancel and progress


def test_cancel_should_stop_within_one_batch():
    scene, model = ArrayScene(speckled_scene(100, 300)), ShiftEquivariant(CARD)
    runner, _ = runner_of(model, batch_size=2)
    with pytest.raises(SardineError) as caught:
        predict(
            scene,
            runner,
            CARD,
            layout_for(scene, CARD),
            MemorySink(*ALL),
            progress=lambda _: None,
            cancelled=lambda: len(model.batches) >= 3,
        )
    assert caught.value.code == ErrorCode.CANCELLED
    assert len(model.batches) == 3


def test_progress_should_count_all_windows_and_end_at_the_total():
    db = speckled_scene(100, 300)
    db[:, :, 100:] = np.nan
    scene, told = ArrayScene(db), []
    layout = layout_for(scene, CARD)
    runner, _ = runner_of(ShiftEquivariant(CARD))
    started_s = time.monotonic()
    summary = predict(scene, runner, CARD, layout, MemorySink(*ALL), progress=told.append, cancelled=lambda: False)
    elapsed_s = time.monotonic() - started_s
    assert [p.done for p in told] == sorted(p.done for p in told)
    assert (told[0].done, told[-1].done) == (0, layout.count)
    assert {p.total for p in told} == {layout.count}
    assert told[-1].left_s == 0
    assert told[-1].rate_mpx_s >= 0.03 / elapsed_s
    assert summary == Summary(summary.valid_px, summary.confidence_sum, summary.class_px, layout.count, summary.windows_run)
    assert summary.windows_run < layout.count


# The request


def request(**outputs):
    return JobRequest((BandSource("VV", "a.tif"), BandSource("VH", "b.tif")), "m.safetensors", OutputPaths(**outputs))


def test_outputs_that_the_model_cannot_give_should_be_refused():
    check_outputs(request(landcover="a.tif", attention="b.tif"), CARD)
    check_outputs(request(attention="b.tif"), encoder_only_card())
    for name in ("landcover", "confidence", "probabilities"):
        with pytest.raises(SardineError) as caught:
            check_outputs(request(**{name: "a.tif"}), encoder_only_card())
        assert caught.value.code == ErrorCode.REQUEST_INVALID
        assert name in caught.value.found


def test_no_output_at_all_should_be_refused():
    with pytest.raises(SardineError) as caught:
        check_outputs(request(), CARD)
    assert caught.value.code == ErrorCode.REQUEST_INVALID


def test_batch_size_below_one_should_be_refused():
    with pytest.raises(SardineError) as caught:
        runner_of(ShiftEquivariant(CARD), batch_size=0)
    assert caught.value.code == ErrorCode.REQUEST_INVALID
