/* SPDX-License-Identifier: BSD-2-Clause */
#include "commands.h"

#include <string.h>

static const struct arg_option wait_options[] = {
	{"paths", 0, "N"},
	{"timeout", 0, "S"},
	{0},
};

static const struct arg_option attach_options[] = {
	{"nbd", 0, "unix:PATH or tcp:HOST:PORT"},
	{"fuse", 0, "FILE"},
	{"policy", 0, "NAME"},
	{"option", 'o', "KEY=VALUE"},
	{0},
};

static const struct arg_option detach_options[] = {
	{"now", 0, NULL},
	{0},
};

static const struct arg_option discover_options[] = {
	{"initiator-name", 0, "IQN"},
	{"chap-user", 0, "NAME"},
	{"chap-secret-file", 0, "FILE"},
	{"isns", 0, NULL},
	{0},
};

static const struct arg_option fault_options[] = {
	{"in", 0, NULL},
	{"out", 0, NULL},
	{0},
};

static const struct arg_option events_options[] = {
	{"lines", 'n', "N"},
	{"no-follow", 0, NULL},
	{0},
};

static const struct arg_option pr_options[] = {
	{"abort", 0, NULL},
	{0},
};

static const struct arg_option no_options[] = {{0}};

#define ANY 1024

const struct command commands[] = {
	{"status", "[DEVICE]", "devices and paths: states, totals, in flight",
		NULL, 0, 1, no_options, cmd_status},
	{"stats", "[DEVICE]", "recovery counters and latencies of each path",
		NULL, 0, 1, no_options, cmd_stats},
	{"top", "[DEVICE]", "rates and latencies on the screen, every second",
		"  q             ends it\n", 0, 1, no_options, cmd_top},
	{"events", "[DEVICE] [-n N] [--no-follow]",
		"what has happened to devices and paths, and what happens",
		"  -n, --lines N   begin with the last N events of the 256 "
		"that "
		"are kept;\n"
		"                  default 10, with --no-follow all\n"
		"  --no-follow     end then\n",
		0, 1, events_options, cmd_events},
	{"wait", "DEVICE [--paths N] [--timeout S]",
		"wait until N paths (default 1) of a device are active",
		"  --paths N     how many paths\n"
		"  --timeout S   give up after S seconds, exit status 1; "
		"default: never\n",
		1, 1, wait_options, cmd_wait},
	{"attach", "NAME URL... [--nbd A] [--fuse F] [--policy P] [-o K=V]",
		"add a device; several URLs of one LUN are its paths",
		"  URL           iscsi://[USER@]HOST[:PORT]/TARGET-IQN/LUN\n"
		"  --nbd A       serve over NBD at unix:PATH or tcp:HOST:PORT; "
		"repeatable\n"
		"  --fuse F      serve as a FUSE block file at F; repeatable\n"
		"  --policy P    how requests are spread over the paths\n"
		"  -o K=V        any key of a [device], see umpio.conf(5); "
		"repeatable\n",
		2, ANY, attach_options, cmd_attach},
	{"detach", "NAME [--now]", "flush, log out and remove a device",
		"  --now         do not wait for requests in flight\n", 1, 1,
		detach_options, cmd_detach},
	{"path", "fail|restore NAME PATH",
		"take a path out of use, or bring it back",
		"  PATH          HOST:PORT of its portal, or its id\n", 3, 3,
		no_options, cmd_path},
	{"fault", "KIND [VALUE] [--in|--out] NAME PATH",
		"inject a fault into a path, to test failover",
		"  drop                  reset its connections, once\n"
		"  blackhole             let nothing pass, nor connect\n"
		"  delay MS              hold everything back for MS ms\n"
		"  rate BYTES/S          let no more pass, for example 50MiB\n"
		"  corrupt header|data   let the next digest be wrong\n"
		"  off                   end them\n"
		"  --in, --out           only what comes from the target, or "
		"goes to it\n"
		"  PATH                  HOST:PORT of its portal, or its id\n",
		3, 4, fault_options, cmd_fault},
	{"set", "NAME KEY=VALUE...",
		"change settings of a live device; the file stays as it is",
		"  KEY           policy, timers and whatever umpio.conf(5) "
		"calls "
		"live;\n"
		"                portal (repeat it: they replace all), "
		"chap-user, "
		"chap-secret-file\n",
		2, ANY, no_options, cmd_set},
	{"abort", "NAME", "fail the requests that are held for want of a path",
		NULL, 1, 1, no_options, cmd_abort},
	{"pr", "VERB NAME [KEY] [TYPE]",
		"persistent reservations, on every path of a device",
		"  register NAME KEY               register KEY; 0: none any "
		"more\n"
		"  reserve NAME TYPE               reserve the LUN\n"
		"  release NAME [TYPE]             end that\n"
		"  preempt NAME KEY TYPE [--abort] take another's registration "
		"and reservation\n"
		"                                  away; --abort: its commands "
		"too\n"
		"  clear NAME                      end all of them, of all "
		"hosts\n"
		"  read-keys NAME                  what is registered\n"
		"  read-reservation NAME           what is reserved\n"
		"  read-full-status NAME           who has registered what\n"
		"  KEY     a number, mostly 0x…\n"
		"  TYPE    wero, earo (registrants only), wear, eaar (all "
		"registrants), we, ea\n",
		2, 4, pr_options, cmd_pr},
	{"reload", "", "read the daemon's configuration file again", NULL, 0, 0,
		no_options, cmd_reload},
	{"discover", "PORTAL [OPTIONS]",
		"targets, portals and LUNs; needs no daemon",
		"  PORTAL                    HOST[:PORT], IPv6 in brackets\n"
		"  --initiator-name IQN      who to be; default as umpiod\n"
		"  --chap-user NAME          CHAP name\n"
		"  --chap-secret-file FILE   file with the CHAP secret, mode "
		"0600\n"
		"  --isns                    PORTAL is an iSNS server\n",
		1, 1, discover_options, cmd_discover},
	{.name = "upgrade", .synopsis = ""},
	{0},
};

const struct command *command_find(const char *name)
{
	const struct command *command = commands;
	while (command->name && strcmp(command->name, name) != 0)
		command++;
	return command->name ? command : NULL;
}
