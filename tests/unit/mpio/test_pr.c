/* SPDX-License-Identifier: BSD-2-Clause */
/* Persistent reservations: each path is an I_T nexus of its own, and another
 * host has one, too. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/opcode.h>
#include <umpio/scsi/pr.h>

#define KEY   0x1234u
#define OTHER 0x5678u
#define WERO  PR_WRITE_EXCLUSIVE_REGISTRANTS
#define EARO  PR_EXCLUSIVE_ACCESS_REGISTRANTS

struct order {
	struct mpio_pr pr;
	unsigned done;
	int err;
	struct pr_keys keys;
	struct pr_reservation held;
	char why[200];
};

static void on_done(struct mpio_pr *pr, int err, const char *why)
{
	struct order *o = pr->arg;

	o->done++;
	o->err = err;
	snprintf(o->why, sizeof o->why, "%s", why);
	if (!err && pr->action == MPIO_PR_READ_KEYS)
		cr_assert_eq(pr_keys_decode(&o->keys, pr->data, pr->len), 0);
	if (!err && pr->action == MPIO_PR_READ_RESERVATION)
		cr_assert_eq(
			pr_reservation_decode(&o->held, pr->data, pr->len), 0);
}

static void begin(struct bench *b, struct order *o, enum mpio_pr_action action,
	uint8_t type, uint64_t key)
{
	memset(o, 0, sizeof *o);
	o->pr = (struct mpio_pr){.action = action,
		.type = type,
		.key = key,
		.done = on_done,
		.arg = o};
	cr_assert_eq(mpdev_pr(b->dev, &o->pr), 0);
	cr_assert_eq(o->done, 0, "done from within the call");
}

static int do_pr(struct bench *b, struct order *o, enum mpio_pr_action action,
	uint8_t type, uint64_t key)
{
	begin(b, o, action, type, key);
	bench_run(b, MS);
	cr_assert_eq(o->done, 1);
	return o->err;
}

static int say(
	struct bench *b, enum mpio_pr_action action, uint8_t type, uint64_t key)
{
	struct order o;

	return do_pr(b, &o, action, type, key);
}

/* What the other host does. */
struct host {
	struct t_nexus nexus;
};

static uint8_t host_out(
	struct host *h, enum pr_out action, uint8_t type, uint64_t action_key)
{
	uint8_t cdb[PATH_CDB_MAX], list[PR_LIST_LEN];
	struct t_lun_cmd cmd = {
		.cdb = cdb, .out = list, .out_len = sizeof list};

	cdb_pr_out(cdb, action, type);
	pr_list_build(list, OTHER, action_key, 0);
	t_lun_execute(&h->nexus, &cmd);
	return cmd.status;
}

static void host_init(struct host *h, struct bench *b)
{
	t_nexus_init(&h->nexus, b->lun, 1, 1, false);
	h->nexus.initiator = h;
	cr_assert_eq(host_out(h, PR_REGISTER_AND_IGNORE, 0, OTHER), 0);
}

static void host_fini(struct host *h)
{
	t_nexus_fini(&h->nexus);
}

static unsigned registered(const struct bench *b, uint64_t key)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->lun->reserve.count; i++)
		n += b->lun->reserve.keys[i].key == key;
	return n;
}

static void setup(struct bench *b, unsigned npaths)
{
	bench_init(b, npaths, "round-robin", NULL);
	bench_up(b);
}

Test(pr, a_key_is_registered_on_every_path)
{
	struct bench b;
	struct order o;

	setup(&b, 3);
	cr_assert_eq(say(&b, MPIO_PR_REGISTER, 0, KEY), 0);
	cr_assert_eq(registered(&b, KEY), 3);
	cr_assert_eq(do_pr(&b, &o, MPIO_PR_READ_KEYS, 0, 0), 0);
	cr_assert_eq(o.keys.count, 3);
	cr_assert(pr_keys_have(&o.keys, KEY));
	cr_assert_eq(do_pr(&b, &o, MPIO_PR_READ_RESERVATION, 0, 0), 0);
	cr_assert_not(o.held.held);
	cr_assert_eq(say(&b, MPIO_PR_REGISTER, 0, 0), 0);
	cr_assert_eq(registered(&b, KEY), 0);
	bench_fini(&b);
}

Test(pr, a_reservation_lets_all_our_paths_in_and_nobody_else)
{
	struct bench b;
	struct order o;
	struct host h;

	setup(&b, 2);
	host_init(&h, &b);
	cr_assert_eq(say(&b, MPIO_PR_REGISTER, 0, KEY), 0);
	cr_assert_eq(say(&b, MPIO_PR_RESERVE, EARO, 0), 0);
	cr_assert_eq(do_pr(&b, &o, MPIO_PR_READ_RESERVATION, 0, 0), 0);
	cr_assert(o.held.held);
	cr_assert_eq(o.held.key, KEY);
	cr_assert_eq(o.held.type, EARO);
	for (unsigned i = 0; i < 32; i++)
		bench_put(&b, 0, 4096 * i, 4096, 'a');
	cr_assert(b.paths[0]->log_len && b.paths[1]->log_len);
	cr_assert_eq(host_out(&h, PR_RESERVE, EARO, 0),
		SCSI_STATUS_RESERVATION_CONFLICT);
	cr_assert_eq(say(&b, MPIO_PR_RELEASE, 0, 0), 0);
	cr_assert_eq(b.lun->reserve.type, 0);
	host_fini(&h);
	bench_fini(&b);
}

/* Whose nexus holds it is the target's affair: the release goes over all. */
Test(pr, a_release_after_the_holders_path_is_gone)
{
	struct bench b;

	setup(&b, 2);
	cr_assert_eq(say(&b, MPIO_PR_REGISTER, 0, KEY), 0);
	bench_die(&b, 0);
	bench_run(&b, 10 * S);
	cr_assert_eq(say(&b, MPIO_PR_RESERVE, WERO, 0), 0);
	cr_assert_eq(say(&b, MPIO_PR_RELEASE, 0, 0), 0);
	cr_assert_eq(b.lun->reserve.type, 0);
	cr_assert_eq(say(&b, MPIO_PR_RELEASE, 0, 0), -EINVAL);
	bench_fini(&b);
}

Test(pr, a_conflict_is_told_and_does_not_travel)
{
	struct bench b;
	struct order o;
	struct host h;

	setup(&b, 2);
	host_init(&h, &b);
	cr_assert_eq(host_out(&h, PR_RESERVE, WERO, 0), 0);
	cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 0, 4096), -EPERM);
	cr_assert_eq(bench_do(&b, BLK_READ, 0, 0, 4096), 0);
	cr_assert_eq(b.lun->writes, 0);
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	cr_assert_eq(do_pr(&b, &o, MPIO_PR_RESERVE, WERO, 0), -EINVAL);
	cr_assert(strstr(o.why, "umpio pr register"));
	cr_assert_eq(say(&b, MPIO_PR_REGISTER, 0, KEY), 0);
	cr_assert_eq(do_pr(&b, &o, MPIO_PR_RESERVE, WERO, 0), -EBADE);
	cr_assert(strstr(o.why, "another host"));
	host_fini(&h);
	bench_fini(&b);
}

Test(pr, a_preemption)
{
	struct bench b;
	struct order o;
	struct host h;

	setup(&b, 2);
	host_init(&h, &b);
	cr_assert_eq(host_out(&h, PR_RESERVE, WERO, 0), 0);
	cr_assert_eq(say(&b, MPIO_PR_REGISTER, 0, KEY), 0);
	cr_assert_eq(say(&b, MPIO_PR_PREEMPT, WERO, OTHER), 0);
	cr_assert_eq(registered(&b, OTHER), 0);
	cr_assert_eq(do_pr(&b, &o, MPIO_PR_READ_RESERVATION, 0, 0), 0);
	cr_assert_eq(o.held.key, KEY);
	cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 0, 4096), 0);
	cr_assert_eq(say(&b, MPIO_PR_PREEMPT, WERO, OTHER), -EBADE);
	cr_assert_eq(say(&b, MPIO_PR_CLEAR, 0, 0), 0);
	cr_assert_eq(b.lun->reserve.count, 0);
	host_fini(&h);
	bench_fini(&b);
}

/* A path is in the set as soon as it carries I/O: also one that was down when
 * the key was registered, one that comes back, and one that joins. */
Test(pr, paths_that_come_later)
{
	struct path_down no = {.cure = PATH_RETRY, .reason = "refused"};
	struct bench b;

	setup(&b, 2);
	b.paths[1]->refusal = &no;
	bench_die(&b, 1);
	bench_run(&b, S);
	cr_assert_eq(say(&b, MPIO_PR_REGISTER, 0, KEY), 0);
	cr_assert_eq(say(&b, MPIO_PR_RESERVE, EARO, 0), 0);
	cr_assert_eq(registered(&b, KEY), 1);
	b.paths[1]->refusal = NULL;
	bench_run(&b, 10 * S);
	cr_assert_eq(bench_path(&b, 1).state, MPATH_ACTIVE);
	cr_assert_eq(registered(&b, KEY), 2);
	bench_add(&b, b.lun);
	bench_run(&b, S);
	cr_assert_eq(bench_path(&b, 2).state, MPATH_ACTIVE);
	cr_assert_eq(registered(&b, KEY), 3);
	bench_die(&b, 0);
	bench_run(&b, 10 * S);
	cr_assert_eq(registered(&b, KEY), 3);
	for (unsigned i = 0; i < 48; i++)
		cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 4096 * i, 4096), 0);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_gt(bench_path(&b, i).writes, 0);
	bench_fini(&b);
}

/* The path that is asked just then: the others still are. */
Test(pr, a_path_that_fails_in_the_middle)
{
	struct bench b;
	struct order o;

	for (unsigned which = 0; which < 3; which++) {
		setup(&b, 3);
		for (unsigned i = 0; i < 3; i++)
			b.paths[i]->latency = 10 * MS;
		begin(&b, &o, MPIO_PR_REGISTER, 0, KEY);
		bench_run(&b, which * 10 * MS + 5 * MS);
		bench_die(&b, which);
		bench_run(&b, 100 * MS);
		cr_assert_eq(o.done, 1, "path %u", which);
		cr_assert_eq(o.err, 0, "path %u: %s", which, o.why);
		bench_run(&b, 10 * S);
		cr_assert_eq(registered(&b, KEY), 3);
		cr_assert_eq(bench_state(&b), MPDEV_UP);
		bench_fini(&b);
	}
}

Test(pr, no_path_at_all)
{
	struct path_down no = {.cure = PATH_RETRY, .reason = "refused"};
	struct bench b;
	struct order o;

	setup(&b, 1);
	b.paths[0]->latency = 10 * MS;
	b.paths[0]->refusal = &no;
	begin(&b, &o, MPIO_PR_REGISTER, 0, KEY);
	bench_die(&b, 0);
	bench_run(&b, S);
	cr_assert_eq(o.done, 1);
	cr_assert_eq(o.err, -ENOTCONN);
	cr_assert_eq(say(&b, MPIO_PR_READ_KEYS, 0, 0), -ENOTCONN);
	b.paths[0]->refusal = NULL;
	bench_run(&b, 10 * S);
	bench_fini(&b);
}

/* The target has forgotten everything, and all sessions end. */
Test(pr, a_target_that_restarts)
{
	struct bench b;

	setup(&b, 2);
	cr_assert_eq(say(&b, MPIO_PR_REGISTER, 0, KEY), 0);
	cr_assert_eq(say(&b, MPIO_PR_RESERVE, WERO, 0), 0);
	t_lun_forget_keys(b.lun);
	bench_die(&b, 0);
	bench_die(&b, 1);
	bench_run(&b, 10 * S);
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	cr_assert_eq(registered(&b, KEY), 2);
	cr_assert_eq(b.lun->reserve.type, WERO);
	cr_assert_not(bench_heard(&b, "reservation-lost"));
	bench_fini(&b);
}

/* The same while the sessions live on, with a unit attention (a reset, or a
 * power failure behind a gateway). */
Test(pr, a_reset_that_sessions_survive)
{
	struct bench b;

	setup(&b, 2);
	cr_assert_eq(say(&b, MPIO_PR_REGISTER, 0, KEY), 0);
	cr_assert_eq(say(&b, MPIO_PR_RESERVE, WERO, 0), 0);
	t_lun_forget_keys(b.lun);
	t_lun_attend(b.lun, NULL, 0x29, 0x01);
	for (unsigned i = 0; i < 32; i++)
		cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 4096 * i, 4096), 0);
	bench_run(&b, 10 * S);
	cr_assert_eq(registered(&b, KEY), 2);
	cr_assert_eq(b.lun->reserve.type, WERO);
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	cr_assert_not(bench_heard(&b, "reservation-lost"));
	bench_fini(&b);
}

/* Fenced out on purpose: the key does not come back by itself. */
Test(pr, another_host_has_removed_the_key)
{
	struct bench b;
	struct host h;

	setup(&b, 2);
	host_init(&h, &b);
	cr_assert_eq(say(&b, MPIO_PR_REGISTER, 0, KEY), 0);
	cr_assert_eq(say(&b, MPIO_PR_RESERVE, WERO, 0), 0);
	cr_assert_eq(host_out(&h, PR_PREEMPT, WERO, KEY), 0);
	cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 0, 4096), -EPERM);
	cr_assert(bench_heard(&b, "reservation-lost"));
	for (unsigned i = 0; i < 2; i++) {
		bench_die(&b, i);
		bench_run(&b, 10 * S);
	}
	cr_assert_eq(registered(&b, KEY), 0);
	cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 0, 4096), -EPERM);
	cr_assert_eq(bench_do(&b, BLK_READ, 0, 0, 4096), 0);
	host_fini(&h);
	bench_fini(&b);
}

Test(pr, another_host_has_cleared_all)
{
	struct bench b;
	struct host h;

	setup(&b, 2);
	host_init(&h, &b);
	cr_assert_eq(say(&b, MPIO_PR_REGISTER, 0, KEY), 0);
	cr_assert_eq(say(&b, MPIO_PR_RESERVE, WERO, 0), 0);
	cr_assert_eq(host_out(&h, PR_CLEAR, 0, 0), 0);
	for (unsigned i = 0; i < 32; i++)
		cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 4096 * i, 4096), 0);
	bench_run(&b, 10 * S);
	cr_assert(bench_heard(&b, "reservation-lost"));
	cr_assert_eq(b.lun->reserve.count, 0);
	host_fini(&h);
	bench_fini(&b);
}

/* After a reset another host was quicker; what it reserves is its own. */
Test(pr, another_host_has_reserved_after_a_reset)
{
	struct bench b;
	struct host h;

	setup(&b, 2);
	cr_assert_eq(say(&b, MPIO_PR_REGISTER, 0, KEY), 0);
	cr_assert_eq(say(&b, MPIO_PR_RESERVE, WERO, 0), 0);
	t_lun_forget_keys(b.lun);
	host_init(&h, &b);
	cr_assert_eq(host_out(&h, PR_RESERVE, WERO, 0), 0);
	t_lun_attend(b.lun, NULL, 0x29, 0x01);
	cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 0, 4096), -EPERM);
	bench_run(&b, 10 * S);
	cr_assert(bench_heard(&b, "reservation-lost"));
	cr_assert_eq(registered(&b, OTHER), 1);
	cr_assert_eq(registered(&b, KEY), 0);
	cr_assert_eq(bench_do(&b, BLK_READ, 0, 0, 4096), 0);
	host_fini(&h);
	bench_fini(&b);
}

/* Commands are under way over all paths when the reset comes, and so is the
 * question that an earlier unit attention has raised. */
Test(pr, a_reset_under_load)
{
	enum { N = 64 };
	struct bench_req r[N];
	struct bench b;

	for (unsigned at = 0; at < 40; at++) {
		setup(&b, 3);
		cr_assert_eq(say(&b, MPIO_PR_REGISTER, 0, KEY), 0);
		cr_assert_eq(say(&b, MPIO_PR_RESERVE, EARO, 0), 0);
		for (unsigned i = 0; i < 3; i++)
			b.paths[i]->latency = (i + 1) * MS;
		t_lun_attend(b.lun, NULL, 0x2a, 0x04);
		for (unsigned i = 0; i < N; i++) {
			bench_write(&b, &r[i], 0, 4096 * i, 4096, 'a');
			bench_run(&b, MS / 8);
			if (i == at) {
				t_lun_forget_keys(b.lun);
				t_lun_attend(b.lun, NULL, 0x29, 0x01);
			}
		}
		bench_run(&b, 10 * S);
		for (unsigned i = 0; i < N; i++) {
			cr_assert_eq(r[i].done, 1);
			cr_assert_eq(r[i].err, 0, "%u, write %u", at, i);
		}
		cr_assert_eq(registered(&b, KEY), 3);
		cr_assert_eq(b.lun->reserve.type, EARO);
		cr_assert_not(bench_heard(&b, "reservation-lost"));
		bench_fini(&b);
	}
}

Test(pr, one_at_a_time)
{
	struct mpio_pr second = {.action = MPIO_PR_READ_KEYS};
	struct bench b;
	struct order o;

	setup(&b, 1);
	begin(&b, &o, MPIO_PR_REGISTER, 0, KEY);
	cr_assert_eq(mpdev_pr(b.dev, &second), -EBUSY);
	bench_run(&b, MS);
	cr_assert_eq(o.done, 1);
	cr_assert_eq(say(&b, MPIO_PR_RESERVE, PR_WRITE_EXCLUSIVE, 0), 0);
	bench_fini(&b);
}

/* With several paths a type for one nexus would lock out the others. */
Test(pr, a_type_for_one_path)
{
	struct bench b;
	struct order o;

	setup(&b, 2);
	cr_assert_eq(say(&b, MPIO_PR_REGISTER, 0, KEY), 0);
	cr_assert_eq(do_pr(&b, &o, MPIO_PR_RESERVE, PR_EXCLUSIVE_ACCESS, 0),
		-EINVAL);
	cr_assert(strstr(o.why, "wero"));
	cr_assert_eq(b.lun->reserve.type, 0);
	bench_fini(&b);
}

/* It came up by the key of before while the others were registered. */
Test(pr, a_path_that_comes_up_meanwhile)
{
	struct order o;
	struct bench b;

	setup(&b, 2);
	bench_die(&b, 0);
	b.paths[0]->latency = 10 * MS;
	b.paths[1]->slow_opcode = SCSI_PERSISTENT_RESERVE_OUT;
	b.paths[1]->slow = S;
	bench_run(&b, MS);
	begin(&b, &o, MPIO_PR_REGISTER, 0, KEY);
	bench_run(&b, 2 * S);
	cr_assert_eq(o.done, 1);
	cr_assert_eq(o.err, 0);
	cr_assert_eq(registered(&b, KEY), 2);
	bench_fini(&b);
}
