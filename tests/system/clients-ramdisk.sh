#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# clients.sh over memory: what fails here is the frontends' fault.
exec "$(dirname "$0")/clients.sh" ramdisk
