# SPDX-License-Identifier: GPL-2.0-or-later
# What a person does with a clone. Each target does the set-up that it needs.
#   PYTHON=…        the Python (3.11 or later) for backend and training       PIP_ARGS=…   more arguments for pip
#   QGIS_PYTHON=…   the Python that QGIS is built for                          QGIS_PROCESS=…
export PYTHON PIP_ARGS QGIS_PYTHON QGIS_PROCESS MAKECMDGOALS
.PHONY: help setup demo package test test-python test-package test-qgis desktop translations lint bench bench-training study clean

help:
	@echo "make demo [SCENE=scene.tif]   land cover and attention of a simulated (or your) scene, as GeoTIFFs, a picture and a project"
	@echo "make package [RELEASE=1]      dist/sardine-X.Y.Z.zip for “Install from ZIP”, checked; RELEASE=1 refuses what may not be published"
	@echo "make test                     all checks and tests"
	@echo "make desktop [SCENE=scene.tif] [CREATE=1]   a new user's way by clicks in a QGIS under Xvfb; pictures in build/desktop;"
	@echo "                              CREATE=1 has the environment made too (minutes, gigabytes from the network)"
	@echo "make bench [ARGS=--record]    speed, memory and latencies as one table; --record appends it to tests/benchmarks/history.csv"
	@echo "make bench-training           speed of pre-training and fine-tuning, beside a plain DataLoader"
	@echo "make study [ENCODER=run]      what encoders know, pre-trained against random or from scratch: report.html below runs/study_*;"
	@echo "                              ENCODER is a run folder of pretrain or a model file of one; without one a small one is made;"
	@echo "                              SIZE=full [IMAGENET=weights.pth], on a GPU, also pre-trains variants, and compares them"
	@echo "make translations             bring resources/i18n up to the texts of the sources"
	@echo "make setup | lint | clean"

setup:
	@scripts/setup_backend.sh
	@scripts/setup_qgis.sh

demo: setup
	@scripts/demo.sh $(if $(SCENE),"$(SCENE)")

package:
	@scripts/setup_backend.sh
	@scripts/need.sh git=git lrelease=qttools5-dev-tools
	@.venv/bin/python -m scripts.package $(if $(RELEASE),--release)

test: lint test-python test-package test-qgis

lint:
	@scripts/setup_backend.sh
	@scripts/lint.sh

test-python:
	@scripts/setup_backend.sh
	.venv/bin/python -m pytest tests/test_boundaries.py tests/test_answers.py tests/test_backend tests/test_training

test-package:
	@scripts/setup_backend.sh
	@scripts/need.sh git=git lrelease=qttools5-dev-tools
	.venv/bin/python -m pytest tests/test_package

test-qgis: setup
	@scripts/need.sh git=git lrelease=qttools5-dev-tools
	@scripts/test_qgis.sh

desktop: setup
	@scripts/need.sh git=git lrelease=qttools5-dev-tools Xvfb=xvfb openbox=openbox
	SARDINE_SCENE="$(SCENE)" SARDINE_CREATE="$(CREATE)" .venv/bin/python -m pytest tests/test_desktop

translations:
	@scripts/need.sh git=git pylupdate5=pyqt5-dev-tools
	@scripts/translations.sh

bench:
	@scripts/setup_backend.sh
	.venv/bin/python -m tests.benchmarks.inference $(ARGS)

bench-training:
	@scripts/setup_backend.sh
	.venv/bin/python -m tests.benchmarks.training

study:
	@scripts/setup_backend.sh
	@scripts/study.sh $(or $(SIZE),small) $(if $(filter full,$(SIZE)),$(if $(IMAGENET),"$(IMAGENET)"),$(if $(ENCODER),"$(ENCODER)"))

clean:
	rm -rf demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
