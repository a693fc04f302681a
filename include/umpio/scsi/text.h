/* SPDX-License-Identifier: BSD-2-Clause */
/* Text from targets, made fit for logs and terminals. */
#ifndef UMPIO_SCSI_TEXT_H
#define UMPIO_SCSI_TEXT_H

#include <stddef.h>

/* Copies `len` bytes into `out` of `size` (> 0) as text: blanks and NULs at
 * both ends are dropped, whatever is not printable ASCII becomes '.', what does
 * not fit is cut. Returns the text's length. */
size_t text_printable(char *out, size_t size, const void *in, size_t len);

#endif
