#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A stopped target with an old write in its receive queue, 100 times; another
# number as the first argument.
case ${UMPIO_BUILD:-} in '' | /*) ;; *) UMPIO_BUILD=$PWD/$UMPIO_BUILD ;; esac
export N=${1:-100}
exec "$(dirname "$0")/../system/ghost-write.sh"
