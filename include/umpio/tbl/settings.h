/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every key of the configuration, once. From this table come the parser, `umpio
 * set`, `--option`, umpio.conf(5) and the sample file.
 *
 *   X(ID, "key", scopes, type, unit-or-choices, min, max, default, live, help)
 *
 * scopes   where the key may stand: D [daemon], T [target …], V [device …]. A
 *          device takes what it does not set itself from its target, then from
 *          [daemon] where D is among the scopes, then the default.
 * type     BOOL, NUMBER, DURATION (min and max in ms), SIZE (bytes), CHOICE
 *          (words separated by |), TEXT, LIST (text, may be repeated)
 * default  as it would be written; NULL: none
 * live     1: `umpio set` can change it on a live device
 *
 * No include guard: defining X and including this is how it is used.
 */

#define D SETTING_DAEMON
#define T SETTING_TARGET
#define V SETTING_DEVICE

/* Who we are and whom we talk to */
X(INITIATOR_NAME, "initiator-name", D | T, TEXT, NULL, 0, 223, NULL, 0,
	"iSCSI name of this initiator; without it that of "
	"/etc/iscsi/initiatorname.iscsi, or one made once and kept")
X(INSTANCE, "instance", D, TEXT, NULL, 0, 255, NULL, 0,
	"what tells this daemon from others on the host, part of its ISIDs; "
	"default: the control socket's path")
X(TARGET, "target", T | V, TEXT, NULL, 0, 223, NULL, 0,
	"in [target]: the target's iSCSI name; in [device]: the name of the "
	"[target] section")
X(PORTAL, "portal", T, LIST, NULL, 0, 0, NULL, 0,
	"HOST:PORT of a portal, IPv6 in brackets; repeat for several paths")
X(DISCOVER, "discover", T | V, BOOL, NULL, 0, 0, "no", 0,
	"add every portal that SendTargets (or isns-server) reports for the "
	"target")
X(ISNS_SERVER, "isns-server", D | T | V, TEXT, NULL, 0, 300, NULL, 0,
	"HOST[:PORT] of an iSNS server; with discover, the portals that it "
	"lists for the target are added, and those that it no longer lists "
	"taken away again")
X(INTERFACE, "interface", T | V, LIST, NULL, 0, 0, NULL, 0,
	"source address or network device of the connections, of all or as "
	"HOST:PORT=INTERFACE of those to one portal; repeatable, so that two "
	"cards in one subnet are two paths")
X(URL, "url", V, LIST, NULL, 0, 0, NULL, 0,
	"iscsi://[USER@]HOST[:PORT]/TARGET/LUN in place of target and lun; "
	"repeat for several paths")
X(LUN, "lun", V, NUMBER, NULL, 0, 16383, "0", 0, "logical unit number")
X(CHAP_USER, "chap-user", D | T | V, TEXT, NULL, 0, 255, NULL, 0,
	"CHAP name of this initiator")
X(CHAP_SECRET_FILE, "chap-secret-file", D | T | V, TEXT, NULL, 0, 4095, NULL, 0,
	"file with the CHAP secret: a regular file of our own, mode 0600")
X(MUTUAL_CHAP_USER, "mutual-chap-user", D | T | V, TEXT, NULL, 0, 255, NULL, 0,
	"CHAP name that the target must show")
X(MUTUAL_CHAP_SECRET_FILE, "mutual-chap-secret-file", D | T | V, TEXT, NULL, 0,
	4095, NULL, 0,
	"file with the secret that the target must prove to know")

/* Negotiated keys: names of RFC 7143 13, in lower case with hyphens */
X(HEADER_DIGEST, "header-digest", T | V, TEXT, "CRC32C|None", 0, 0,
	"CRC32C,None", 0,
	"digests offered for headers, in order of preference; a single value "
	"is required")
X(DATA_DIGEST, "data-digest", T | V, TEXT, "CRC32C|None", 0, 0, "CRC32C,None",
	0, "the same for data")
X(INITIAL_R2T, "initial-r2t", T | V, BOOL, NULL, 0, 0, "no", 0,
	"wait for the target's R2T before sending data of a write")
X(IMMEDIATE_DATA, "immediate-data", T | V, BOOL, NULL, 0, 0, "yes", 0,
	"send data of a write together with the command")
X(FIRST_BURST_LENGTH, "first-burst-length", T | V, SIZE, NULL, 512, 16777215,
	"256KiB", 0, "most unsolicited data of one write")
X(MAX_BURST_LENGTH, "max-burst-length", T | V, SIZE, NULL, 512, 16777215,
	"1MiB", 0, "most data of one sequence")
X(MAX_RECV_DATA_SEGMENT_LENGTH, "max-recv-data-segment-length", T | V, SIZE,
	NULL, 512, 16777215, "256KiB", 0, "most data of one PDU that we take")
X(MAX_OUTSTANDING_R2T, "max-outstanding-r2t", T | V, NUMBER, NULL, 1, 65535,
	"8", 0, "R2Ts that a target may have open for one write")
X(MAX_CONNECTIONS, "max-connections", T | V, NUMBER, NULL, 1, 8, "1", 0,
	"connections of one session; above 1 the portals of a portal group "
	"share one session, also those that discovery finds, and one that is "
	"in another group becomes a path of its own")
X(ERROR_RECOVERY_LEVEL, "error-recovery-level", T | V, NUMBER, NULL, 0, 2, "0",
	0,
	"error recovery level offered; not set, it is 2 where max-connections "
	"is above 1")
X(CONNECTION_POLICY, "connection-policy", T | V, CHOICE,
	"round-robin|queue-length", 0, 0, "round-robin", 0,
	"how commands are spread over the connections of a session")
X(DEFAULT_TIME2WAIT, "default-time2wait", T | V, NUMBER, NULL, 0, 3600, "0", 0,
	"seconds offered to wait before a reconnect; the larger of both sides "
	"holds")
X(DEFAULT_TIME2RETAIN, "default-time2retain", T | V, NUMBER, NULL, 0, 3600,
	"20", 0, "seconds offered for which tasks outlive a connection")

/* Paths and policy */
X(POLICY, "policy", T | V, CHOICE,
	"round-robin|failover|queue-length|service-time|latency|weighted", 0, 0,
	"round-robin", 1,
	"how requests are spread over the paths of the group in use")
X(GROUP_BY, "group-by", T | V, CHOICE, "alua|portal-group|priority|none", 0, 0,
	"alua", 1,
	"what makes paths a group: the target's ALUA state, its portal group, "
	"the key path-priority, or nothing (all paths are one group)")
X(PATH_PRIORITY, "path-priority", T | V, LIST, NULL, 0, 0, NULL, 0,
	"HOST:PORT=N: priority of a path for group-by = priority, from 0 to "
	"1000, the highest goes first; repeatable, default 0")
X(PATH_WEIGHT, "path-weight", T | V, LIST, NULL, 0, 0, NULL, 0,
	"HOST:PORT=N: weight of a path for policy = weighted, 1 to 1000; "
	"repeatable, default 1")
X(FAILBACK, "failback", T | V, TEXT, NULL, 0, 32, "30s", 1,
	"when a better group is used again: immediate, followover (when it "
	"gets a path that was failed), manual, or after so long without "
	"failure")
X(NO_PATH_TIMEOUT, "no-path-timeout", T | V, DURATION, NULL, 0, 86400000, "60s",
	1, "how long requests wait while no path is left, before they fail")

/* Health */
X(FAILOVER_TIME, "failover-time", T | V, DURATION, NULL, 300, 600000, "3s", 1,
	"how long a silent path may stall requests: sets probe-after to a third "
	"of it and fail-after to two thirds, unless they are given")
X(PROBE_AFTER, "probe-after", T | V, DURATION, NULL, 100, 600000, NULL, 1,
	"a path that owes an answer and has been silent for so long is probed")
X(FAIL_AFTER, "fail-after", T | V, DURATION, NULL, 200, 600000, NULL, 1,
	"a path that owes an answer and has been silent for so long in all has "
	"failed")
X(CHECK_INTERVAL, "check-interval", T | V, DURATION, NULL, 500, 600000, "20s",
	1,
	"longest time between checks of an idle path; while the device is used "
	"paths are checked every 2s")
X(IO_TIMEOUT, "io-timeout", T | V, DURATION, NULL, 1000, 600000, "5s", 1,
	"a read or write without answer for so long on a living path is looked "
	"into: it moves when TEST UNIT READY is not answered either")
X(HOLD_DOWN, "hold-down", T | V, BOOL, NULL, 0, 0, "yes", 1,
	"a path that fails 3 times in 60s is used only when no other is left, "
	"for 30s, doubling to 10m")
X(MARGINAL, "marginal", T | V, BOOL, NULL, 0, 0, "yes", 1,
	"a path with many errors, or far slower than the others, is used only "
	"when nothing better is left")

/* Safety of writes */
X(GHOST_GUARD, "ghost-guard", T | V, TEXT, NULL, 0, 32, "15s", 1,
	"a write that was retried, and whose first attempt cannot be proven "
	"dead, holds back newer writes to the same blocks for so long, at most "
	"1h; forever: until there is proof")
X(WRITE_CACHE, "write-cache", T | V, CHOICE, "auto|volatile|nonvolatile", 0, 0,
	"auto", 0,
	"whether the target may lose flushable writes when it restarts; auto: "
	"as its caching mode page says. Where it may, and the target refuses "
	"every SYNCHRONIZE CACHE, flushes fail; nonvolatile makes them succeed")
X(SHARED, "shared", T | V, BOOL, NULL, 0, 0, "no", 0,
	"other initiators write to the LUN too: writes are never replayed "
	"after the target lost its cache, the next flush fails instead")
X(READ_ONLY, "read-only", T | V, BOOL, NULL, 0, 0, "no", 0,
	"refuse everything that would change the LUN")

/* Frontends */
X(NBD, "nbd", V, LIST, NULL, 0, 0, NULL, 0,
	"unix:PATH or tcp:HOST:PORT at which the device is an NBD export; HOST "
	"is an address or localhost")
X(FUSE, "fuse", V, LIST, NULL, 0, 0, NULL, 0,
	"file at which the device is a FUSE block file")
X(FUSE_CACHE, "fuse-cache", V, BOOL, NULL, 0, 0, "off", 0,
	"let the kernel cache the block file; other initiators' writes are "
	"then not seen")
X(FUSE_ALLOW_OTHER, "fuse-allow-other", V, BOOL, NULL, 0, 0, "no", 0,
	"let other users open the block file")
X(NBD_MAX_CLIENTS, "nbd-max-clients", D, NUMBER, NULL, 1, 100000, "100", 0,
	"connections that an NBD listener serves at once")

X(TLS, "tls", D | V, CHOICE, "off|required", 0, 0, "off", 0,
	"whether NBD clients must use TLS; devices that share an address share "
	"this and the keys below")
X(TLS_CERTIFICATES, "tls-certificates", D | V, TEXT, NULL, 0, 4000, NULL, 0,
	"directory with server-cert.pem, server-key.pem and, for "
	"tls-verify-peer, ca-cert.pem; read when the device begins to be served, "
	"so that renewed ones take a detach and a reload")
X(TLS_PSK_FILE, "tls-psk-file", D | V, TEXT, NULL, 0, 4095, NULL, 0,
	"file with lines NAME:HEXKEY, the pre-shared keys: a regular file of "
	"our own, mode 0600; read when the device begins to be served")
X(TLS_VERIFY_PEER, "tls-verify-peer", D | V, BOOL, NULL, 0, 0, "no", 0,
	"clients must show a certificate of the CA in ca-cert.pem")
X(TLS_ALLOW, "tls-allow", V, LIST, NULL, 0, 0, NULL, 0,
	"only clients whose certificate has this CN, DNS, e-mail or URI name, "
	"or whose PSK has this name, may use the device; repeatable")
X(INSECURE, "insecure", D | V, BOOL, NULL, 0, 0, "no", 0,
	"serve NBD without TLS also where other hosts can connect")

/* The daemon */
X(WORKERS, "workers", D, NUMBER, NULL, 1, 1024, NULL, 0,
	"threads over which devices are spread, read when umpiod starts; default: "
	"one for each processor that it may run on, begun as devices come; devices "
	"that share an NBD address share a thread")
X(QUEUES, "queues", V, NUMBER, NULL, 1, 64, "1", 0,
	"threads that share the device, each with sessions of its own over every "
	"path, for a device that keeps one busy; at most as many as there are "
	"workers")
X(BUSY_POLL, "busy-poll", D, NUMBER, NULL, 0, 10000, "50", 0,
	"microseconds for which a thread looks for an answer that is likely to "
	"come at once before it sleeps, read when umpiod starts; 0: it sleeps")
X(SHUTDOWN_TIMEOUT, "shutdown-timeout", D, DURATION, NULL, 0, 3600000, "10s", 0,
	"how long SIGTERM waits for requests, flush and logout")

#undef D
#undef T
#undef V
