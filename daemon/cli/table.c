/* SPDX-License-Identifier: BSD-2-Clause */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

#define GAP 2

void table_init(
	struct table *t, const struct table_column *columns, unsigned ncolumns)
{
	*t = (struct table){.columns = columns, .ncolumns = ncolumns};
}

void table_fini(struct table *t)
{
	for (size_t i = 0; i < t->ncells; i++)
		free(t->cells[i]);
	free(t->cells);
}

void table_add(struct table *t, const char *text)
{
	char **cells = realloc(t->cells, (t->ncells + 1) * sizeof *t->cells);
	char *copy = strdup(text);
	if (!cells || !copy) {
		fputs("umpio: out of memory\n", stderr);
		exit(1);
	}
	t->cells = cells;
	t->cells[t->ncells++] = copy;
}

static size_t column_width(const struct table *t, unsigned column)
{
	size_t width = text_width(t->columns[column].head);
	for (size_t i = column; i < t->ncells; i += t->ncolumns) {
		size_t w = text_width(t->cells[i]);
		if (w > width)
			width = w;
	}
	return width;
}

/* A column that says nothing in any row is left out. */
static bool column_is_empty(const struct table *t, unsigned column)
{
	for (size_t i = column; i < t->ncells; i += t->ncolumns)
		if (*t->cells[i])
			return false;
	return true;
}

struct printing {
	const struct table *t;
	FILE *out;
	bool coloured;
	int pending; /* blanks owed: none are printed at the end of a line */
};

static void put_cell(struct printing *p, unsigned column, const char *text,
	enum text_colour colour)
{
	int pad = (int)(column_width(p->t, column) - text_width(text));
	bool right = p->t->columns[column].right;
	if (*text) {
		fprintf(p->out, "%*s", p->pending + (right ? pad : 0), "");
		text_colour(p->out, p->coloured && colour, colour);
		text_print(p->out, text);
		text_colour(p->out, p->coloured && colour, TEXT_PLAIN);
		p->pending = GAP + (right ? 0 : pad);
	} else {
		p->pending += pad + GAP;
	}
}

void table_print(
	const struct table *t, FILE *out, const char *indent, bool coloured)
{
	size_t rows = t->ncells / t->ncolumns;
	for (size_t row = 0; row <= rows; row++) {
		struct printing p = {t, out, coloured, 0};
		fputs(indent, out);
		for (unsigned c = 0; c < t->ncolumns; c++) {
			if (column_is_empty(t, c))
				continue;
			const struct table_column *column = &t->columns[c];
			const char *text =
				row == 0
					? column->head
					: t->cells[(row - 1) * t->ncolumns + c];
			put_cell(&p, c, text,
				row == 0        ? TEXT_FAINT
				: column->state ? text_state_colour(text)
						: TEXT_PLAIN);
		}
		fputc('\n', out);
	}
}
