#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Data spoilt on four connections for 10 minutes each, to the model target and
# to LIO; another length in seconds as the first argument, another build by
# UMPIO_BUILD=build/asan.
case ${UMPIO_BUILD:-} in '' | /*) ;; *) UMPIO_BUILD=$PWD/$UMPIO_BUILD ;; esac
exec "$(dirname "$0")/../system/digest-repair.sh" "${1:-600}"
