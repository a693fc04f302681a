/* SPDX-License-Identifier: BSD-2-Clause */
/* Text for a terminal: what others named, numbers for people, colours. */
#ifndef UMPIO_CLI_TEXT_H
#define UMPIO_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Prints `text` with control characters, which could steer the terminal, as
 * `?`. */
void text_print(FILE *out, const char *text);

/* Columns that `text` takes: UTF-8 characters, each as one. */
size_t text_width(const char *text);

/* `1.5 GiB`; bytes below 1 KiB as `512 B`. Returns `text`. */
#define TEXT_SIZE_MAX 24
const char *text_size(uint64_t bytes, char text[TEXT_SIZE_MAX]);

/* Microseconds as `85 µs`, `1.2 ms` or `3.4 s`. Returns `text`. */
const char *text_latency(uint64_t us, char text[TEXT_SIZE_MAX]);

enum text_colour { TEXT_PLAIN, TEXT_GOOD, TEXT_WARN, TEXT_BAD, TEXT_FAINT };

/* True when `out` is a terminal that shall have colours (not with NO_COLOR). */
bool text_coloured(FILE *out);

/* Switches to a colour, and back with TEXT_PLAIN. */
void text_colour(FILE *out, bool coloured, enum text_colour colour);

/* The colour of a device's or path's state. */
enum text_colour text_state_colour(const char *state);

#endif
