/* SPDX-License-Identifier: BSD-2-Clause */
/* What the configuration says of a device: defaults, and changes while it
 * lives. */
#include "mpdev.h"

#include <errno.h>
#include <string.h>
#include <umpio/base/units.h>

void mpdev_options_init(struct mpdev_options *options)
{
	*options = (struct mpdev_options){
		.policy = mpio_policies()[0],
		.hold_down = true,
		.marginal = true,
		.no_path_timeout = 60 * NS_PER_S,
		.failback = 30 * NS_PER_S,
		.probe_after = 1 * NS_PER_S,
		.fail_after = 2 * NS_PER_S,
		.check_interval = 20 * NS_PER_S,
		.io_timeout = 5 * NS_PER_S,
		.ghost_guard = 15 * NS_PER_S,
	};
}

static bool fixed_differ(
	const struct mpdev_options *a, const struct mpdev_options *b)
{
	return a->read_only != b->read_only || a->shared != b->shared ||
	       a->write_cache != b->write_cache;
}

int mpdev_set_options(struct mpdev *dev, const struct mpdev_options *options)
{
	const struct selector *selector = selector_find(options->policy);
	struct mpath *mp;
	bool regroup;

	if (!selector || fixed_differ(&dev->options, options))
		return -EINVAL;
	if (selector != dev->selector) {
		dev->selector = selector;
		memset(&dev->view.memory, 0, sizeof dev->view.memory);
	}
	regroup = dev->options.group_by != options->group_by;
	dev->options = *options;
	dev->options.policy = selector->name;
	fence_guards_changed(dev);
	if (regroup)
		groups_reset(dev);
	else
		mpdev_update(dev); /* failback may have changed */
	if (loop_timer_is_set(dev->no_path))
		loop_timer_set(dev->no_path, options->no_path_timeout);
	TAILQ_FOREACH (mp, &dev->paths, link)
		damping_apply(mp, loop_now(dev->loop));
	health_poke(dev);
	return 0;
}
