/* SPDX-License-Identifier: BSD-2-Clause */
/* alloc STORY [FIRST MANY]: tells the story once with memory, which shows the
 * allocations in it, then again and again: the n-th fails; then many from the
 * n-th on. A place that is reached in the same way often fails a few times
 * only. With numbers, that one run, in this process. */
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/alloc/alloc.h"

#define REPEATS 3  /* failures of one place, one at a time */
#define MANY    40 /* allocations that fail in a row */
#define SECONDS 60 /* that one run may take */

static const struct story {
	const char *name;
	void (*tell)(void);
} stories[] = {
	{"device", story_device},
	{"legs", story_legs},
	{"discover", story_discover},
	{"nbd", story_nbd},
	{"control", story_control},
	{"config", story_config},
};

/* In a process of its own, so that a crash is one run's. */
static bool tell(const struct story *story, struct alloc_run *run)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(SECONDS);
		alloc_begin(run);
		story->tell();
		exit(0);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0)
		return true;
	fprintf(stderr, "failed: alloc %s %u %u\n", story->name, run->first,
		run->many);
	return false;
}

/* How many of the sites before the n-th are the n-th's. */
static unsigned seen_before(const struct alloc_site *sites, unsigned n)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++)
		count += memcmp(&sites[i], &sites[n], sizeof *sites) == 0;
	return count;
}

static int tell_all(const struct story *story, struct alloc_run *run)
{
	static struct alloc_site sites[ALLOC_MAX];
	unsigned total, ways = 0, runs = 0, bad = 0;

	run->many = 0;
	if (!tell(story, run))
		return 1;
	total = run->seen;
	if (total == 0 || total > ALLOC_MAX) {
		fprintf(stderr, "failed: %u allocations\n", total);
		return 1;
	}
	memcpy(sites, run->sites, total * sizeof *sites);
	for (unsigned n = 0; n < total && bad < 10; n++) {
		unsigned before = seen_before(sites, n);

		ways += before == 0;
		run->first = n + 1;
		if (before < REPEATS) {
			run->many = 1;
			bad += !tell(story, run);
			runs++;
		}
		if (before == 0) {
			run->many = MANY;
			bad += !tell(story, run);
			runs++;
		}
	}
	printf("%s: %u allocations, %u ways to them, %u runs, %u failed\n",
		story->name, total, ways, runs, bad);
	return bad ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct alloc_run *run = mmap(NULL, sizeof *run, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ALLOC_CHECK(run != MAP_FAILED);
	for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
		if (argc < 2 || strcmp(argv[1], stories[i].name) != 0)
			continue;
		if (argc < 4)
			return tell_all(&stories[i], run);
		run->first = (unsigned)strtoul(argv[2], NULL, 10);
		run->many = (unsigned)strtoul(argv[3], NULL, 10);
		alloc_begin(run);
		stories[i].tell();
		return 0;
	}
	fprintf(stderr, "usage: alloc STORY [FIRST MANY]\n");
	return 2;
}
