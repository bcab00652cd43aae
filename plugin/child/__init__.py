# SPDX-License-Identifier: GPL-2.0-or-later
"""The backend as a process of its own: started with a clean environment, listened to, and ended."""
