#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# 10,000 seeds of the simulator, or as many as the first argument says, from the
# second argument on; another build by UMPIO_BUILD=build/asan.
exec "$(dirname "$0")/../sim/run" --seeds "${1:-10000}" --first "${2:-1}"
