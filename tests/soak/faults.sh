#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# 200 faults in 10 minutes, in an order that the seed in the first argument
# gives (default: of the day), under NBD and FUSE at once.
case ${UMPIO_BUILD:-} in '' | /*) ;; *) export UMPIO_BUILD=$PWD/$UMPIO_BUILD ;; esac
exec "$(dirname "$0")/../faults/run" --random --seed "${1:-$(date +%j)}" \
	--seconds 600 --faults 200
