#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Each way to an allocation in umpiod and umpio fails once, and then always, in
# the sanitizer build where there is one; another build by UMPIO_BUILD, and the
# options of tests/alloc/daemon.
case ${UMPIO_BUILD:-} in '' | /*) ;; *) UMPIO_BUILD=$PWD/$UMPIO_BUILD ;; esac
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${UMPIO_BUILD:-}" ] && [ -x "$here/../../build/asan/daemon/umpiod" ]
then
	UMPIO_BUILD=$(cd "$here/../../build/asan" && pwd)
fi
[ -z "${UMPIO_BUILD:-}" ] || export UMPIO_BUILD
exec "$here/../alloc/daemon" --full "$@"
