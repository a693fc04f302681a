/* SPDX-License-Identifier: BSD-2-Clause */
/* Tags, and the command window. */
#include <criterion/criterion.h>

#include "daemon/iscsi/task.h"
#include "daemon/iscsi/window.h"

Test(task, a_tag_is_found_while_it_is_taken)
{
	struct task_table table;
	struct task *t;
	uint32_t old;

	task_table_init(&table);
	cr_assert_null(task_get(&table, TASK_SCSI));
	cr_assert_null(task_find(&table, 0));
	cr_assert_eq(task_table_grow(&table, 8), 0);
	t = task_get(&table, TASK_SCSI);
	old = t->itt;
	cr_assert_eq(task_find(&table, old), t);
	cr_assert_null(task_find(&table, old ^ 0x10000));
	cr_assert_null(task_find(&table, BHS_TAG_NONE));
	cr_assert_null(task_find(&table, 0xffff));
	task_put(&table, t);
	cr_assert_null(task_find(&table, old));
	task_table_fini(&table);
}

Test(task, an_old_tag_never_means_a_new_task)
{
	struct task_table table;

	task_table_init(&table);
	task_table_grow(&table, 1);
	for (unsigned i = 0; i < 1000; i++) {
		struct task *t = task_get(&table, TASK_SCSI);
		uint32_t itt = t->itt;

		cr_assert_neq(itt, BHS_TAG_NONE);
		task_put(&table, t);
		t = task_get(&table, TASK_SCSI);
		cr_assert_neq(t->itt, itt);
		task_put(&table, t);
	}
	task_table_fini(&table);
}

Test(task, commands_leave_room_for_control)
{
	struct task_table table;
	unsigned n = 0;

	task_table_init(&table);
	cr_assert_eq(task_table_grow(&table, 1u << 30), 0);
	cr_assert_eq(task_table_room(&table), TASK_MAX);
	cr_assert_eq(table.nblocks, 1, "the rest when it is used");
	while (task_get(&table, TASK_SCSI))
		n++;
	cr_assert_eq(n, TASK_MAX);
	for (unsigned i = 0; i < TASK_CONTROL; i++)
		cr_assert(task_get(&table, TASK_NOP));
	cr_assert_null(task_get(&table, TASK_NOP));
	task_table_fini(&table);
}

/* RFC 7143 4.2.2.1 */
Test(window, opens_and_shuts_over_the_wrap)
{
	struct window w = {0xfffffffe, 0xfffffffe, 0xffffffff};

	cr_assert(window_is_open(&w));
	cr_assert_eq(window_size(&w), 2);
	w.cmd_sn += 2;
	cr_assert(!window_is_open(&w));
	window_update(&w, 0, 0);
	cr_assert(window_is_open(&w));
	cr_assert_eq(w.exp_cmd_sn, 0);
}

Test(window, never_goes_back)
{
	struct window w = {10, 10, 20};

	window_update(&w, 8, 15);
	cr_assert_eq(w.exp_cmd_sn, 10);
	cr_assert_eq(w.max_cmd_sn, 20);
	window_update(&w, 15, 13); /* MaxCmdSN < ExpCmdSN - 1: ignored */
	cr_assert_eq(w.exp_cmd_sn, 10);
	window_update(&w, 21, 20); /* shut */
	w.cmd_sn = 21;
	cr_assert(!window_is_open(&w));
	cr_assert_eq(window_size(&w), 0);
}
