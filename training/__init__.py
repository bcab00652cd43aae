# SPDX-License-Identifier: GPL-2.0-or-later
"""Training: scenes become a trained, exported model. May import `backend`; nothing imports `training`."""
