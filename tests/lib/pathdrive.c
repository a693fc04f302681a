/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives one iSCSI path against a real target, for the system tests:
 *
 *   pathdrive PORTAL TARGET LUN VERB [KEY=VALUE…] [-- COMMAND…]
 *
 * io        patterns of all sizes are written, read back and compared
 * down      it must not come up; prints `CURE: REASON`
 * cut       with reads and writes in flight COMMAND is run, which ends the
 *           connection: everything ends once, the path goes down, comes back,
 *           and its fence is granted
 * idle      stays up for 2 s with pings every 100 ms
 * discover  prints `TARGET HOST:PORT,TPGT` for each portal
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <umpio/iscsi.h>
#include <umpio/loop.h>
#include <umpio/scsi/cdb.h>
#include <unistd.h>

#define BLOCK 512u
#define SPAN  (4u << 20) /* bytes of each slot's own part of the unit */
#define SLOTS 16

struct slot {
	struct path_cmd cmd;
	uint8_t *data, *want;
	unsigned calls; /* of done(), since it was submitted */
};

static struct loop *loop;
static struct iscsi_config config;
static struct path *path;
static struct slot slots[SLOTS];
static unsigned inflight, ups, downs, unknown, not_sent, done_ok;
static struct path_down down;
static bool fenced;
static char **command;

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void on_up(struct path *p)
{
	(void)p;
	ups++;
	loop_stop(loop);
}

static void on_down(struct path *p, const struct path_down *why)
{
	(void)p;
	if (inflight)
		die("down with %u commands open", inflight);
	down = *why;
	downs++;
	loop_stop(loop);
}

static void on_leaving(struct path *p)
{
	(void)p;
}

static const struct path_events events = {
	.up = on_up, .down = on_down, .leaving = on_leaving};

static void done(struct path_cmd *cmd)
{
	struct slot *slot = cmd->arg;

	if (++slot->calls != 1)
		die("a command ended %u times", slot->calls);
	switch (cmd->result.outcome) {
	case PATH_DONE: done_ok++; break;
	case PATH_NOT_SENT: not_sent++; break;
	case PATH_UNKNOWN: unknown++; break;
	}
	if (--inflight == 0)
		loop_stop(loop);
}

static void submit(
	struct slot *slot, enum path_direction direction, uint32_t len)
{
	slot->calls = 0;
	slot->cmd.direction = (uint8_t)direction;
	slot->cmd.len = len;
	slot->cmd.data = slot->data;
	slot->cmd.done = done;
	slot->cmd.arg = slot;
	slot->cmd.deadline = loop_now(loop) + 20 * NS_PER_S;
	inflight++;
	path_submit(path, &slot->cmd);
}

static void io(struct slot *slot, bool write, uint32_t len)
{
	uint64_t lba = (uint64_t)(slot - slots) * (SPAN / BLOCK);

	if (write)
		cdb_write(slot->cmd.cdb, lba, len / BLOCK, 0);
	else
		cdb_read(slot->cmd.cdb, lba, len / BLOCK, 0);
	submit(slot, write ? PATH_DATA_OUT : PATH_DATA_IN, len);
}

static void expect_good(const struct slot *slot, const char *what)
{
	const struct path_result *r = &slot->cmd.result;

	if (r->outcome != PATH_DONE || r->status != 0)
		die("%s of %u bytes: outcome %d error %d status %02x sense "
		    "%02x/%02x/%02x",
			what, slot->cmd.len, r->outcome, r->error, r->status,
			r->sense[2], r->sense[12], r->sense[13]);
}

/* Commands until the unit attentions of a new session are through. */
static void become_ready(void)
{
	struct slot *slot = &slots[0];

	for (unsigned i = 0; i < 5; i++) {
		cdb_test_unit_ready(slot->cmd.cdb);
		submit(slot, PATH_NO_DATA, 0);
		loop_run(loop);
		if (slot->cmd.result.outcome == PATH_DONE &&
			slot->cmd.result.status == 0)
			return;
		if (slot->cmd.result.outcome != PATH_DONE ||
			slot->cmd.result.sense_len < 14)
			die("no sense with status %02x",
				slot->cmd.result.status);
	}
	die("the unit does not become ready");
}

static void come_up(void)
{
	unsigned before = ups;

	path_start(path);
	loop_run(loop);
	if (ups != before + 1)
		die("down: %s", down.reason);
	become_ready();
}

static void go_down(void)
{
	unsigned before = downs;

	path_stop(path, false);
	loop_run(loop);
	if (downs != before + 1 || !down.was_up)
		die("it does not stop");
}

static void inquire(void)
{
	struct slot *slot = &slots[0];

	cdb_inquiry(slot->cmd.cdb, 255);
	submit(slot, PATH_DATA_IN, 255);
	loop_run(loop);
	expect_good(slot, "INQUIRY");
	if (slot->cmd.result.overflow || slot->cmd.result.residual > 255 - 36)
		die("INQUIRY has a residual of %u", slot->cmd.result.residual);
	if (memcmp(slot->data + 8, "IET", 3) != 0)
		die("INQUIRY of somebody else");
}

static void compare(uint32_t len)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		loop_random(loop, slots[i].want, len);
		memcpy(slots[i].data, slots[i].want, len);
		io(&slots[i], true, len);
	}
	loop_run(loop);
	for (unsigned i = 0; i < SLOTS; i++) {
		expect_good(&slots[i], "WRITE");
		memset(slots[i].data, 0x5a, len);
		io(&slots[i], false, len);
	}
	loop_run(loop);
	for (unsigned i = 0; i < SLOTS; i++) {
		expect_good(&slots[i], "READ");
		if (memcmp(slots[i].data, slots[i].want, len) != 0)
			die("slot %u: other bytes than written, %u long", i,
				len);
	}
}

static void verb_io(void)
{
	static const uint32_t sizes[] = {
		512, 4096, 65536, 66048, 262144, 524800, 1u << 20, SPAN};
	struct path_facts facts;

	come_up();
	inquire();
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		compare(sizes[i]);
	path_facts(path, &facts);
	if (facts.connections != 1 || facts.inflight_max < 8 || !facts.tpgt)
		die("facts: %u connections, %u in flight, tpgt %u",
			facts.connections, facts.inflight_max, facts.tpgt);
	go_down();
	puts("io ok");
}

static void verb_down(void)
{
	static const char *const cures[] = {
		[PATH_RETRY] = "retry",
		[PATH_RETRY_SLOW] = "slow",
		[PATH_FATAL] = "fatal",
	};

	path_start(path);
	loop_run(loop);
	if (ups)
		die("it came up");
	printf("%s: %s\n", cures[down.cure], down.reason);
}

static void on_fence(struct path_fence *fence, int err)
{
	(void)fence;
	if (err)
		die("fence: %d", err);
	fenced = true;
}

static void run_command(void *arg)
{
	pid_t pid = fork();
	int status;

	(void)arg;
	if (pid == 0) {
		execvp(command[0], command);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		die("%s failed", command[0]);
}

static void verb_cut(void)
{
	struct path_fence fence = {.done = on_fence};
	struct path_counters counters;
	struct loop_task task;

	if (!command)
		die("cut needs a command");
	come_up();
	for (unsigned i = 0; i < SLOTS; i++)
		io(&slots[i], i % 2, SPAN);
	loop_task_init(&task, run_command, NULL);
	loop_post(loop, &task);
	while (!downs)
		loop_run(loop);
	if (inflight || unknown == 0 || !down.was_up)
		die("%u open, %u unknown after the cut", inflight, unknown);
	path_fence(path, &fence);
	printf("cut: %u unknown, %u not sent, wait %llu ms: %s\n", unknown,
		not_sent, (unsigned long long)(down.wait / NS_PER_MS),
		down.reason);
	come_up();
	if (!fenced)
		die("logged in again, and not fenced");
	path_counters(path, &counters);
	if (counters.logins != 2 || counters.session_recoveries != 1)
		die("%llu logins", (unsigned long long)counters.logins);
	compare(65536);
	go_down();
	puts("cut ok");
}

static void stop_loop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void verb_idle(void)
{
	struct loop_timer *timer = loop_timer_new(loop, stop_loop, NULL);
	uint64_t heard;

	come_up();
	loop_timer_set(timer, 2 * NS_PER_S);
	loop_run(loop);
	heard = loop_now(loop) - path_heard(path);
	if (downs || heard > 1500 * NS_PER_MS)
		die("silent for %llu ms: %s",
			(unsigned long long)(heard / NS_PER_MS), down.reason);
	path_probe(path);
	go_down();
	loop_timer_free(timer);
	puts("idle ok");
}

static void discovered(
	void *arg, int err, const struct iscsi_targets *all, const char *reason)
{
	char text[ENDPOINT_TEXT_MAX];

	(void)arg;
	if (err)
		printf("%d: %s\n", err, reason);
	for (unsigned i = 0; !err && i < all->ntargets; i++) {
		const struct iscsi_target *t = &all->targets[i];

		for (unsigned j = 0; j < t->nportals; j++)
			printf("%s %s,%u\n", t->name,
				endpoint_text(&t->portals[j].at, text),
				t->portals[j].tpgt);
	}
	loop_stop(loop);
}

static void verb_discover(void)
{
	if (!iscsi_discover(loop, &config, discovered, NULL))
		die("out of memory");
	loop_run(loop);
}

static bool yes(const char *value)
{
	return strcmp(value, "yes") == 0;
}

static void set(char *option)
{
	struct iscsi_offer *o = &config.offer;
	char *value = strchr(option, '=');
	uint32_t number;

	if (!value)
		die("%s is no KEY=VALUE", option);
	*value++ = '\0';
	number = (uint32_t)strtoul(value, NULL, 10);
	if (strcmp(option, "digest") == 0)
		o->header_digest = o->data_digest =
			yes(value) ? ISCSI_DIGEST_CRC32C : ISCSI_DIGEST_NONE;
	else if (strcmp(option, "initial-r2t") == 0)
		o->initial_r2t = yes(value);
	else if (strcmp(option, "immediate-data") == 0)
		o->immediate_data = yes(value);
	else if (strcmp(option, "recv") == 0)
		o->max_recv_data_segment_length = number;
	else if (strcmp(option, "first") == 0)
		o->first_burst_length = number;
	else if (strcmp(option, "ping") == 0)
		config.timeouts.ping_interval = number * NS_PER_MS;
	else if (strcmp(option, "user") == 0)
		config.chap.user = value;
	else if (strcmp(option, "secret") == 0)
		config.chap.secret = value;
	else if (strcmp(option, "mutual") == 0)
		config.chap.mutual_secret = value;
	else
		die("unknown key %s", option);
}

static const struct {
	const char *name;
	void (*run)(void);
} verbs[] = {{"io", verb_io}, {"down", verb_down}, {"cut", verb_cut},
	{"idle", verb_idle}, {"discover", verb_discover}};

static void read_arguments(int argc, char **argv)
{
	iscsi_config_init(&config);
	config.initiator_name = "iqn.2026-01.org.example:pathdrive";
	config.target_name = argv[2];
	config.nportals = 1;
	if (endpoint_parse(
		    &config.portals[0], argv[1], strlen(argv[1]), ISCSI_PORT))
		die("bad portal %s", argv[1]);
	config.lun[1] = (uint8_t)strtoul(argv[3], NULL, 10);
	memcpy(config.isid, "\x80\x01\x02\x03\x04\x05", ISCSI_ISID_LEN);
	for (int i = 5; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			command = argv + i + 1;
			break;
		}
		set(argv[i]);
	}
	if (config.chap.secret)
		config.chap.secret_len = strlen(config.chap.secret);
	if (config.chap.mutual_secret)
		config.chap.mutual_secret_len =
			strlen(config.chap.mutual_secret);
}

int main(int argc, char **argv)
{
	bool found = false;

	if (argc < 5)
		die("usage: pathdrive PORTAL TARGET LUN VERB [KEY=VALUE…]");
	log_setup(getenv("PATHDRIVE_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
		false);
	read_arguments(argc, argv);
	loop = loop_new();
	path = iscsi_path_new(loop, &config);
	if (!path)
		die("no path");
	path->events = &events;
	for (unsigned i = 0; i < SLOTS; i++) {
		slots[i].data = malloc(SPAN);
		slots[i].want = malloc(SPAN);
	}
	for (unsigned i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(verbs[i].name, argv[4]) != 0)
			continue;
		verbs[i].run();
		found = true;
	}
	path_free(path);
	loop_free(loop);
	for (unsigned i = 0; i < SLOTS; i++) {
		free(slots[i].data);
		free(slots[i].want);
	}
	return found ? 0 : 2;
}
