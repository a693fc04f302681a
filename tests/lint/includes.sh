#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Who may see whom: a file includes its own folder's private headers and
# <umpio/…>, siblings never see each other, floors never see what is above
# them, and each library of others is used in one room only. The rules are
# first tried on a tree that breaks each of them.
set -euo pipefail
cd "$(dirname "$0")/../.."

# FOLDER (a pattern of paths), and what its files must not include
forbidden=(
	'^mpio/'               'umpio/(iscsi|frontend|control|stream|settings)\.h'
	'^frontends/'          'umpio/(path|mpio|iscsi|control|settings|lun)\.h'
	'^daemon/iscsi/'       'umpio/(mpio|blkdev|frontend|control|settings)\.h'
	'^daemon/(base|scsi|config|control)/'
	'umpio/(path|lun|mpio|iscsi|blkdev|frontend)\.h'
	'^daemon/(base|scsi)/' 'umpio/(settings|control)\.h'
	'^daemon/scsi/'        'umpio/(loop|stream)\.h'
	'^daemon/base/'        'umpio/scsi/.*'
)
# LIBRARY's headers, and the only files that may include them
homes=(
	'ev\.h'                'daemon/base/loop\.c'
	'json-c/.*'            'daemon/(control/|cli/|[^/]*\.c).*'
	'openssl/.*'           '(daemon/(iscsi/chap\.c|config/[^/]*\.c)|frontends/nbd/nbds_tls[^/]*)'
	'(fuse|fuse3/).*\.h'   'frontends/fuse/[^/]*'
	'linux/fuse\.h'        'frontends/fuse/[^/]*'
	'isa-l.*'              'daemon/base/crc32c\.c'
	'criterion.*|libnbd.*' 'tests/.*'
)

# `FILE INCLUDED` of every include of the tree; private ones in quotes
includes() {
	find daemon mpio frontends include -name '*.[ch]' -exec grep -HoE \
		'^[ 	]*#[ 	]*include[ 	]*[<"][^>"]*[>"]' {} + |
		sed -E 's/:[ \t]*#[ \t]*include[ \t]*/ /; s/[<>]//g'
}

private() { # "x.h" stands beside the file
	local file header
	while read -r file header; do
		case $header in
		\"*/*) echo "$file: $header is another folder's" ;;
		\"*)
			header=${header//\"/}
			[ -e "${file%/*}/$header" ] ||
				echo "$file: \"$header\" is not in its folder"
			;;
		esac
	done
}

violations() {
	local all i
	all=$(includes)
	private <<<"$all"
	grep -E '^include/.* "' <<<"$all" | sed 's/$/: a seam without a path/' ||
		:
	for ((i = 0; i < ${#forbidden[@]}; i += 2)); do
		grep -E "${forbidden[i]}[^ ]* ${forbidden[i + 1]}$" <<<"$all" ||
			:
	done
	for ((i = 0; i < ${#homes[@]}; i += 2)); do
		grep -E " (${homes[i]})$" <<<"$all" |
			grep -Ev "^${homes[i + 1]} " || :
	done
}

planted=$(mktemp -d)
trap 'rm -rf "$planted"' EXIT
plant() { # FILE INCLUDE
	mkdir -p "$planted/${1%/*}"
	echo "#include $2" >>"$planted/$1"
}
plant mpio/a.c '<umpio/iscsi.h>'
plant mpio/b.c '"../daemon/base/loop.h"'
plant mpio/c.c '"elsewhere.h"'
plant frontends/nbd/a.c '<umpio/path.h>'
plant daemon/iscsi/a.c '<umpio/blkdev.h>'
plant daemon/iscsi/b.c '<openssl/evp.h>'
plant daemon/scsi/a.c '<umpio/loop.h>'
plant daemon/base/a.c '<ev.h>'
plant frontends/nbd/b.c '<fuse_lowlevel.h>'
plant mpio/d.c '<json-c/json.h>'
plant include/umpio/a.h '"b.h"'
found=$(cd "$planted" && violations | sed 's/[: ].*//' | sort -u | wc -l)
if [ "$found" -ne 11 ]; then
	echo "of 11 planted violations $found are found"
	exit 1
fi

found=$(violations)
[ -z "$found" ] || { echo "$found"; exit 1; }
