/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every word that a device's event may bear, once: umpio_mpio sends them, the
 * manual lists them.
 *
 *   X(ID, "word", help)
 *
 * No include guard: defining X and including this is how it is used.
 */

X(PATH_UP, "path-up",
	"a path is active, for the first time or again: it is logged in, and "
	"leads to the right LUN")
X(PATH_SUSPECTED, "path-suspected",
	"a path that owes an answer is silent, or is the last one and its "
	"link is down; it is asked for a sign of life")
X(PATH_FAILED, "path-failed",
	"a path carries no I/O any more, or could not be brought up")
X(PATH_MISMATCHED, "path-mismatched",
	"a path leads to another LUN than the device, and is kept out")
X(PATH_REFUSED, "path-refused",
	"a path leads to no LUN that can be served, and is kept out")
X(PATH_HELD_DOWN, "path-held-down",
	"a path was lost 3 times within 60s; for a while it is used only when "
	"no other is left")
X(PATH_MARGINAL, "path-marginal",
	"a path has many faults, or is far slower than the others; for a while "
	"it is used only when no other is left")
X(PATH_TRUSTED, "path-trusted",
	"a path that was held down or marginal is used like the others again")
X(PORTAL_ELSEWHERE, "portal-elsewhere",
	"a portal turns out to be in another portal group than its path; it "
	"becomes a path of its own")
X(PATH_DISABLED, "path-disabled", "a path was taken out of use by command")
X(PATH_ENABLED, "path-enabled", "a path was given back by command")
X(PATH_FAULT, "path-fault",
	"umpio fault has injected something into a path, or ended that; the "
	"reason says what is in force now")
X(ALUA_CHANGED, "alua-changed",
	"the target has changed the access state of a path's port group, or is "
	"told to")
X(GROUP_CHANGED, "group-changed", "the device uses another group of paths")
X(RESERVATION_LOST, "reservation-lost",
	"another host has removed our reservation key, or has taken the "
	"reservation after the target lost it")
X(TASKS_MOVED, "tasks-moved",
	"commands that a path had not finished were sent over another one")
X(TASKS_RESUMED, "tasks-resumed",
	"the first of the moved commands was answered over another path")
X(FENCED, "fenced",
	"nothing that a failed path left unanswered can be executed any more; "
	"newer writes to those blocks go on. The reason names the portal, "
	"where it was another path's")
X(FENCE_EXPIRED, "fence-expired",
	"ghost-guard is over without such a proof; newer writes to the blocks "
	"named go on all the same")
X(CACHE_REPLAYED, "cache-replayed",
	"the target may have lost its write cache, or the answer to a flush was "
	"lost; what was not flushed was written again, and flushed")
X(CACHE_LOST, "cache-lost",
	"the target may have lost acknowledged writes with its cache, and they "
	"could not be written again: the next flush of every client fails")
X(CACHE_UNFLUSHABLE, "cache-unflushable",
	"the target says that it has a volatile write cache, and refuses every "
	"SYNCHRONIZE CACHE: flushes fail until its cache is switched off, or "
	"write-cache = nonvolatile")
X(DEVICE_UP, "device-up", "every path of the device is up")
X(DEVICE_DEGRADED, "device-degraded", "some paths of the device are not up")
X(DEVICE_GROWN, "device-grown",
	"the LUN has become larger, and all active paths say so; new clients "
	"see the new size")
X(DEVICE_PROTECTED, "device-protected",
	"the target refuses writes: the LUN is write-protected; clients get "
	"EPERM")
X(DEVICE_QUEUEING, "device-queueing",
	"the device has no path left; requests are held")
X(DEVICE_FAILED, "device-failed",
	"the device had no path for longer than no-path-timeout; requests fail")
