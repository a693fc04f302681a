#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A path lost every second for 60 s, through NBD and through FUSE; another
# length as the first argument, another build by UMPIO_BUILD=build/asan.
case ${UMPIO_BUILD:-} in '' | /*) ;; *) UMPIO_BUILD=$PWD/$UMPIO_BUILD ;; esac
exec "$(dirname "$0")/../system/path-loss.sh" "${1:-60}"
