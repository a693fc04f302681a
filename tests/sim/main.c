/* SPDX-License-Identifier: BSD-2-Clause */
/* umpio_sim: runs seeds, each in a process of its own, so that one that crashes
 * or hangs is one seed and not the end. */
#include "life.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <unistd.h>

#define JOBS_MAX     64
#define SECONDS_MAX  120 /* of real time for one seed */
#define STORM        (50 * NS_PER_S)
#define FAILURES_MAX 20 /* shown */

static struct {
	uint64_t first, count, seed;
	bool one, until_failure;
	unsigned jobs;
	struct life_options life;
} args = {
	.first = 1,
	.count = 10,
	.jobs = 1,
	.life = {.storm = STORM},
};

/* A seed that is being run. */
struct job {
	pid_t pid;
	uint64_t seed;
	struct life *life; /* shared with the process */
};

static struct {
	struct job job[JOBS_MAX];
	uint64_t runs, failed, requests, failures, faults, virtual_ns, hash;
	uint64_t longest_ns, peak;
} all;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void print_failure(uint64_t seed, const char *text)
{
	if (++all.failed <= FAILURES_MAX)
		printf("seed %llu: %s\n", (unsigned long long)seed, text);
	fflush(stdout);
}

static void begin(struct job *job, uint64_t seed)
{
	job->seed = seed;
	memset(job->life, 0, sizeof *job->life);
	fflush(stdout);
	job->pid = fork();
	if (job->pid < 0) {
		perror("umpio_sim: fork");
		exit(2);
	}
	if (job->pid > 0)
		return;
	alarm(SECONDS_MAX);
	life_run(job->life, seed, &args.life);
	fflush(stdout);
	exit(job->life->ok ? 0 : 1); /* leaks are looked for at exit */
}

static void add_up(const struct life *l)
{
	all.requests += l->requests;
	all.failures += l->failures;
	all.faults += l->faults;
	all.virtual_ns += l->virtual_ns;
	all.hash = (all.hash ^ l->hash) * 0x9fb21c651e98df25ull;
	if (l->longest_ns > all.longest_ns)
		all.longest_ns = l->longest_ns;
	if (l->peak > all.peak)
		all.peak = l->peak;
}

static void ended(struct job *job, int status)
{
	char text[64];

	job->pid = 0;
	all.runs++;
	add_up(job->life);
	if (job->life->failure[0]) {
		print_failure(job->seed, job->life->failure);
	} else if (WIFSIGNALED(status)) {
		snprintf(text, sizeof text, "%s",
			WTERMSIG(status) == SIGALRM
				? "hang: it did not end in time"
				: "crash: a signal ended it");
		print_failure(job->seed, text);
	} else if (WEXITSTATUS(status) != 0) {
		print_failure(job->seed, "crash: a sanitizer ended it");
	}
}

static void wait_for_one(void)
{
	int status;
	pid_t pid = wait(&status);

	for (unsigned i = 0; i < args.jobs; i++)
		if (all.job[i].pid == pid)
			ended(&all.job[i], status);
}

static struct job *free_job(void)
{
	for (unsigned i = 0; i < args.jobs; i++)
		if (!all.job[i].pid)
			return &all.job[i];
	return NULL;
}

static bool any_job(void)
{
	for (unsigned i = 0; i < args.jobs; i++)
		if (all.job[i].pid)
			return true;
	return false;
}

static void run_all(void)
{
	uint64_t next = args.first, end = args.first + args.count;
	struct job *job;

	for (unsigned i = 0; i < args.jobs; i++)
		all.job[i].life =
			mmap(NULL, sizeof *job->life, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	while (next < end && !(args.until_failure && all.failed)) {
		while (!(job = free_job()))
			wait_for_one();
		begin(job, next++);
	}
	while (any_job())
		wait_for_one();
}

static int summary(double seconds)
{
	double simulated = (double)all.virtual_ns * 1e-9;

	printf("%llu seeds, %llu faults, %llu requests (%llu failed), longest "
	       "%llu ms, buffers up to %llu KiB; %.0f s simulated in %.1f s, "
	       "%.0f times\n",
		(unsigned long long)all.runs, (unsigned long long)all.faults,
		(unsigned long long)all.requests,
		(unsigned long long)all.failures,
		(unsigned long long)(all.longest_ns / NS_PER_MS),
		(unsigned long long)(all.peak >> 10), simulated, seconds,
		simulated / seconds);
	printf("%llu seeds passed, %llu failed\n",
		(unsigned long long)(all.runs - all.failed),
		(unsigned long long)all.failed);
	return all.failed ? 1 : 0;
}

static int run_one(void)
{
	struct life life = {0};

	life_run(&life, args.seed, &args.life);
	printf("seed %llu: %s, %u faults, %llu requests (%llu failed), trace "
	       "%016llx\n",
		(unsigned long long)args.seed, life.ok ? "good" : life.failure,
		life.faults, (unsigned long long)life.requests,
		(unsigned long long)life.failures,
		(unsigned long long)life.hash);
	return life.ok ? 0 : 1;
}

static void usage(FILE *to)
{
	fputs("usage: umpio_sim --seeds N [--first S] [--jobs J] [--stop]\n"
	      "       umpio_sim --seed S [--quiet | --full | --wire] [--only "
	      "F,F...] "
	      "[--debug]\n"
	      "  --seeds N    N runs, seeds from --first (default 1) on\n"
	      "  --stop       end with the first failure\n"
	      "  --seed S     one run, with a timeline\n"
	      "  --full       the timeline has every request\n"
	      "  --wire       and every PDU\n"
	      "  --quiet      the last line of it alone\n"
	      "  --only F,F   with these of its faults, by number\n"
	      "  --storm S    faults come for so many seconds (default 50)\n"
	      "  --debug      the daemon's own log, too\n",
		to);
}

static uint64_t number(const char *text)
{
	uint64_t n;

	if (units_u64(text, &n) == 0)
		return n;
	fprintf(stderr, "umpio_sim: %s is no number\n", text);
	exit(2);
}

static void take_args(int argc, char **argv)
{
	static const struct option options[] = {
		{"seeds", 1, NULL, 'n'},
		{"first", 1, NULL, 'f'},
		{"jobs", 1, NULL, 'j'},
		{"stop", 0, NULL, 'x'},
		{"seed", 1, NULL, 's'},
		{"full", 0, NULL, 'v'},
		{"wire", 0, NULL, 'w'},
		{"quiet", 0, NULL, 'q'},
		{"only", 1, NULL, 'o'},
		{"storm", 1, NULL, 't'},
		{"debug", 0, NULL, 'd'},
		{"help", 0, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	unsigned level = 1;
	int c;

	log_setup(0, false);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'n': args.count = number(optarg); break;
		case 'f': args.first = number(optarg); break;
		case 'j': args.jobs = (unsigned)number(optarg); break;
		case 'x': args.until_failure = true; break;
		case 's': args.seed = number(optarg), args.one = true; break;
		case 'v': level = 2; break;
		case 'w': level = 3; break;
		case 'q': level = 0; break;
		case 'o': args.life.only = optarg; break;
		case 't': args.life.storm = number(optarg) * NS_PER_S; break;
		case 'd': log_setup(LOG_LEVEL_DEBUG, false); break;
		case 'h': usage(stdout); exit(0);
		default: usage(stderr); exit(2);
		}
	}
	args.life.level = args.one ? level : 0;
	if (args.jobs < 1 || args.jobs > JOBS_MAX)
		args.jobs = 1;
	if (args.life.storm < 5 * NS_PER_S)
		args.life.storm = 5 * NS_PER_S;
}

int main(int argc, char **argv)
{
	double start = now();

	take_args(argc, argv);
	if (args.one)
		return run_one();
	run_all();
	return summary(now() - start);
}
