# SPDX-License-Identifier: Apache-2.0
"""What scripts/bench runs: the subcommands of mintgate-bench in turn, their ratios in one place, and the report."""
