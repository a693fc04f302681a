#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# One of four connections to LIO reset every 5 s for 10 minutes; another length
# in seconds as the first argument, another build by UMPIO_BUILD=build/asan.
case ${UMPIO_BUILD:-} in '' | /*) ;; *) UMPIO_BUILD=$PWD/$UMPIO_BUILD ;; esac
exec "$(dirname "$0")/../system/lio-mcs.sh" "${1:-600}"
