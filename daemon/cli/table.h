/* SPDX-License-Identifier: BSD-2-Clause */
/* A table whose columns are as wide as what stands in them. */
#ifndef UMPIO_CLI_TABLE_H
#define UMPIO_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table_column {
	const char *head;
	bool right; /* numbers */
	bool state; /* coloured by what it says */
};

struct table {
	const struct table_column *columns;
	unsigned ncolumns;
	char **cells; /* row by row; owned */
	size_t ncells;
};

void table_init(
	struct table *t, const struct table_column *columns, unsigned ncolumns);
void table_fini(struct table *t);

/* Adds the next cell, a copy of `text`. Without memory the program ends. */
void table_add(struct table *t, const char *text);

/* Prints head and rows, each after `indent`. */
void table_print(
	const struct table *t, FILE *out, const char *indent, bool coloured);

#endif
