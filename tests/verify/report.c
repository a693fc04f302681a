/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>

#include "run.h"

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

bool run_clean(const struct run *run)
{
	for (unsigned i = 0; i < FOUND_KINDS; i++)
		if (run->found[i])
			return false;
	return true;
}

static uint64_t errors(const struct run *run)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < OPS; i++)
		n += run->errors[i];
	return n;
}

static void fault_row(void *arg, const struct fault_sum *f)
{
	fprintf(arg, "%-32s %6ju %10ju %7ju %7ju %12.1f %12.1f\n", f->name,
		f->times, f->requests, f->errors, f->found, ms(f->longest),
		ms(f->longest_hot));
}

static unsigned findings_kept(const struct run *run)
{
	unsigned n = run->nfindings;

	return n < FINDINGS_MAX ? n : FINDINGS_MAX;
}

static void table_findings(const struct run *run, FILE *out)
{
	for (unsigned i = 0; i < findings_kept(run); i++) {
		const struct finding *f = &run->findings[i];

		fprintf(out,
			"%s: sector %ju, %ju of them, after %.3f s: write %ju"
			" should be there, and %ju of writer %ju is\n",
			found_name(f->kind), f->sector, f->count,
			(double)run->found_at[i] / 1e9, f->want, f->have,
			f->writer);
	}
	if (run->nfindings > FINDINGS_MAX)
		fprintf(out, "and %u more\n", run->nfindings - FINDINGS_MAX);
}

void report_table(struct run *run, FILE *out)
{
	const struct slow *slow;
	unsigned n = stalls_longest(run->stalls, &slow);

	fprintf(out, "requests:");
	for (unsigned i = 0; i < OPS; i++)
		fprintf(out, " %s %ju", op_names[i], (uintmax_t)run->ops[i]);
	fprintf(out, "\nerrors %ju, disconnects %ju, races excused %ju\n",
		errors(run), (uintmax_t)run->disconnects,
		history_races(run->history));
	fprintf(out, "ms: p50 %.3f, p99 %.3f, p99.9 %.3f, longest %.3f\n\n",
		ms(stalls_quantile(run->stalls, 0.5)),
		ms(stalls_quantile(run->stalls, 0.99)),
		ms(stalls_quantile(run->stalls, 0.999)),
		n ? ms(slow->took) : 0);
	fprintf(out, "%-32s %6s %10s %7s %7s %12s %12s\n", "fault", "times",
		"requests", "errors", "wrong", "longest, ms", "hot writes");
	stalls_sums(run->stalls, fault_row, out);
	fprintf(out, "\nlongest requests:\n");
	for (unsigned i = 0; i < n && i < 10; i++)
		fprintf(out, "%10.1f ms from %9.3f s  %-5s %ju+%ju %s%s\n",
			ms(slow[i].took),
			(double)(slow[i].begun - run->started) / 1e9,
			slow[i].what, slow[i].offset, slow[i].len,
			slow[i].fault, slow[i].failed ? " (failed)" : "");
	fprintf(out, "\n");
	table_findings(run, out);
	fprintf(out, "%s\n",
		run_clean(run) ? "nothing lost, stale, torn, misplaced or "
				 "falsely acknowledged"
			       : "DATA ARE WRONG");
}

struct list {
	FILE *out;
	bool more;
};

static void comma(struct list *l)
{
	fputs(l->more ? ",\n  " : "\n  ", l->out);
	l->more = true;
}

static void fault_json(void *arg, const struct fault_sum *f)
{
	struct list *l = arg;

	comma(l);
	fprintf(l->out,
		"{\"fault\":\"%s\",\"times\":%ju,\"requests\":%ju,"
		"\"errors\":%ju,\"found\":%ju,\"longest_ms\":%.3f,"
		"\"longest_hot_ms\":%.3f,\"seconds\":%.3f}",
		f->name, f->times, f->requests, f->errors, f->found,
		ms(f->longest), ms(f->longest_hot), f->total);
}

static void step_json(void *arg, uint64_t upto, uint64_t n)
{
	struct list *l = arg;

	comma(l);
	fprintf(l->out, "[%.6f,%ju]", ms(upto), n);
}

static void json_counts(const struct run *run, FILE *out)
{
	struct list l = {out, false};

	fprintf(out, "\"requests\":{");
	for (unsigned i = 0; i < OPS; i++) {
		comma(&l);
		fprintf(out, "\"%s\":%ju", op_names[i], (uintmax_t)run->ops[i]);
	}
	fprintf(out, "},\n\"failed\":{");
	l.more = false;
	for (unsigned i = 0; i < OPS; i++) {
		comma(&l);
		fprintf(out, "\"%s\":%ju", op_names[i],
			(uintmax_t)run->errors[i]);
	}
	fprintf(out, "},\n\"found\":{");
	l.more = false;
	for (unsigned i = 0; i < FOUND_KINDS; i++) {
		comma(&l);
		fprintf(out, "\"%s\":%ju", found_name(i),
			(uintmax_t)run->found[i]);
	}
	fprintf(out, "},\n\"errors\":%ju,\"disconnects\":%ju,\"races\":%ju,",
		errors(run), (uintmax_t)run->disconnects,
		history_races(run->history));
	fprintf(out, "\"bytes\":%ju,\n", (uintmax_t)run->bytes);
}

static void json_slow(const struct run *run, FILE *out)
{
	struct list l = {out, false};
	const struct slow *slow;
	unsigned n = stalls_longest(run->stalls, &slow);

	fprintf(out, "\"longest\":[");
	for (unsigned i = 0; i < n; i++) {
		comma(&l);
		fprintf(out,
			"{\"ms\":%.3f,\"at\":%.3f,\"request\":\"%s\","
			"\"offset\":%ju,\"length\":%ju,\"fault\":\"%s\","
			"\"failed\":%s}",
			ms(slow[i].took),
			(double)(slow[i].begun - run->started) / 1e9,
			slow[i].what, slow[i].offset, slow[i].len,
			slow[i].fault, slow[i].failed ? "true" : "false");
	}
	fprintf(out, "],\n");
}

static void json_findings(const struct run *run, FILE *out)
{
	struct list l = {out, false};

	fprintf(out, "\"findings\":[");
	for (unsigned i = 0; i < findings_kept(run); i++) {
		const struct finding *f = &run->findings[i];

		comma(&l);
		fprintf(out,
			"{\"kind\":\"%s\",\"sector\":%ju,\"count\":%ju,"
			"\"want\":%ju,\"have\":%ju,\"writer\":%ju,"
			"\"at\":%.3f}",
			found_name(f->kind), f->sector, f->count, f->want,
			f->have, f->writer, (double)run->found_at[i] / 1e9);
	}
	fprintf(out, "],\n");
}

void report_json(struct run *run, FILE *out)
{
	struct list l = {out, false};

	fprintf(out, "{\"clean\":%s,\n", run_clean(run) ? "true" : "false");
	json_counts(run, out);
	fprintf(out, "\"ms\":{\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f},\n",
		ms(stalls_quantile(run->stalls, 0.5)),
		ms(stalls_quantile(run->stalls, 0.99)),
		ms(stalls_quantile(run->stalls, 0.999)));
	fprintf(out, "\"faults\":[");
	stalls_sums(run->stalls, fault_json, &l);
	fprintf(out, "],\n");
	json_slow(run, out);
	json_findings(run, out);
	fprintf(out, "\"histogram_ms\":[");
	l.more = false;
	stalls_steps(run->stalls, step_json, &l);
	fprintf(out, "]}\n");
}
