/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/settings.h>

static char why[512];

static struct settings *parse(const char *text)
{
	why[0] = '\0';
	return settings_parse("test.conf", text, strlen(text), why, sizeof why);
}

static const char whole[] = "# a comment\n"
			    "[daemon]\n"
			    "initiator-name = iqn.2003-01.org.example:host1\n"
			    "chap-user = everywhere\r\n"
			    "\n"
			    "[target array1]\n"
			    "\ttarget = iqn.2003-01.org.example:array1\n"
			    "portal = 10.0.1.10:3260\n"
			    "portal=[2001:db8::1]:3260\n"
			    "no-path-timeout = 1500ms\n"
			    "policy = failover\n"
			    "; another comment\n"
			    "[device db0]\n"
			    "target = array1\n"
			    "lun = 7\n"
			    "policy = round-robin\n"
			    "nbd = unix:/run/umpio/db0.sock\n"
			    "[device url]\n"
			    "url = iscsi://h/iqn.2003-01.org.example:a/1";

Test(settings, inherits_from_target_daemon_and_table)
{
	struct settings *s = parse(whole);
	cr_assert(s != NULL, "%s", why);
	struct section *db0 = settings_find(s, SETTING_DEVICE, "db0");
	struct section *url = settings_find(s, SETTING_DEVICE, "url");
	cr_assert(db0 && url);
	cr_expect_eq(db0->line, 13);
	cr_expect_eq(settings_number(s, db0, SET_LUN), 7);
	cr_expect_str_eq(settings_text(s, db0, SET_POLICY), "round-robin");
	cr_expect_str_eq(settings_text(s, db0, SET_TARGET), "array1");
	cr_expect_str_eq(settings_text(s, db0, SET_CHAP_USER), "everywhere");
	cr_expect_eq(
		settings_number(s, db0, SET_NO_PATH_TIMEOUT), 1500 * NS_PER_MS);
	cr_expect_eq(
		settings_number(s, url, SET_NO_PATH_TIMEOUT), 60 * NS_PER_S);
	cr_expect_eq(settings_number(s, db0, SET_MAX_BURST_LENGTH), 1 << 20);
	char *const *portals = settings_list(s, db0, SET_PORTAL);
	cr_assert(portals[0] && portals[1] && !portals[2]);
	cr_expect_str_eq(portals[1], "[2001:db8::1]:3260");
	cr_expect_null(settings_list(s, url, SET_PORTAL)[0]);
	cr_expect(settings_is_set(s, db0, SET_POLICY));
	cr_expect_not(settings_is_set(s, url, SET_POLICY));
	cr_expect_str_eq(settings_text(s, s->targets, SET_TARGET),
		"iqn.2003-01.org.example:array1");
	cr_expect(settings_bool(s, db0, SET_IMMEDIATE_DATA));
	settings_free(s);
}

/* Every default in the table must be what its own key takes. */
Test(settings, defaults_are_valid)
{
	struct settings *s = settings_new();
	for (int i = 0; i < SETTINGS; i++) {
		const struct setting_info *info = setting_info(i);
		cr_expect_eq(setting_find(info->key), i, "%s twice", info->key);
		if (!info->def)
			continue;
		enum setting_scope scope = info->scopes & SETTING_DEVICE
						   ? SETTING_DEVICE
						   : SETTING_DAEMON;
		struct section *section =
			scope == SETTING_DAEMON
				? s->daemon
				: settings_add(s, scope, info->key);
		cr_expect_eq(section_set(section, info->key, info->def, why,
				     sizeof why),
			0, "%s", why);
	}
	settings_free(s);
}

static const struct {
	const char *text, *why;
} refused[] = {
	{"x", "test.conf:1: neither"},
	{"\n\nkey = 1", "test.conf:3: `key` stands before"},
	{"[daemon", "test.conf:1: section without closing"},
	{"[]", "test.conf:1: section without a name"},
	{"[ ]", "test.conf:1: section without a name"},
	{"[moon]", "test.conf:1: unknown section [moon]"},
	{"[daemon x]", "test.conf:1: [daemon] has no name"},
	{"[daemon]\n[daemon]",
		"test.conf:2: [daemon] stands already in line 1"},
	{"[device]", "test.conf:1: [device NAME]"},
	{"[device a/b]", "test.conf:1: [device NAME]"},
	{"[device ..]", "test.conf:1: [device NAME]"},
	{"[device d]\nurl=iscsi://h/iqn.a:b/1\n[device d]",
		"test.conf:3: [device d] stands already in line 1"},
	{"[daemon]\n= 5", "test.conf:2: no key"},
	{"[daemon]\ninstance =  ", "test.conf:2: no value"},
	{"[daemon]\ncolour = red", "test.conf:2: unknown key `colour`"},
	{"[daemon]\nnbd = unix:/x",
		"test.conf:2: `nbd` does not belong in [daemon] but in "
		"[device NAME]"},
	{"[daemon]\nnbd-max-clients = 0",
		"test.conf:2: nbd-max-clients: `0` is not from 1 to 100000"},
	{"[daemon]\nnbd-max-clients = 18446744073709551616",
		"test.conf:2: nbd-max-clients: `18446744073709551616` is not"},
	{"[daemon]\nnbd-max-clients = 5x",
		"test.conf:2: nbd-max-clients: `5x` is not a number"},
	{"[daemon]\nshutdown-timeout = 2h",
		"test.conf:2: shutdown-timeout: `2h` is not from"},
	{"[daemon]\ninstance = a\ninstance = b",
		"test.conf:3: instance: given twice"},
	{"[daemon]\ninstance = a\x01", "test.conf:2: control character"},
	{"[daemon]\ninitiator-name = host1",
		"test.conf:2: initiator-name: `host1` is not an iSCSI name"},
	{"[device d]\npolicy = best", "test.conf:2: policy: `best` is none of"},
	{"[device d]\nheader-digest = CRC32C,MD5",
		"test.conf:2: header-digest: `CRC32C,MD5` is none of"},
	{"[device d]\nnbd = /run/x", "test.conf:2: nbd: `/run/x` is neither"},
	{"[device d]\nurl = iscsi://u%secret@h/iqn.a:b/1",
		"test.conf:2: url: a URL must not hold a password"},
	{"[target t]\nportal = :\n", "test.conf:2: portal: `:` is not"},
	{"[target t]\nportal = h", "test.conf:1: [target t]: no `target`"},
	{"[target t]\ntarget = iqn.a:b",
		"test.conf:1: [target t]: no `portal`"},
	{"\n[device d]", "test.conf:2: [device d]: neither"},
	{"[device d]\ntarget = t", "test.conf:1: [device d]: target: there is"},
	{"[device d]\nurl=iscsi://h/iqn.a:b/1\ntarget=t",
		"test.conf:1: [device d]: both `url` and `target`"},
	{"[device d]\nurl=iscsi://h/iqn.a:b/1\nlun=1",
		"test.conf:1: [device d]: both `url` and `lun`"},
	{"[target t]\ntarget=iqn.a:b\nportal=h\n[device a]\ntarget=t\n"
	 "[device b]\ntarget=t\n",
		"test.conf:6: [device b]: the same target and LUN as [device "
		"a"},
	{"[device a]\nurl=iscsi://h/iqn.a:b/1\nfuse=/x\n[device b]\n"
	 "url=iscsi://h/iqn.a:b/2\nfuse=/x",
		"test.conf:4: [device b]: the same block file"},
	{"[device a]\nurl=iscsi://h/iqn.a:b/1\n[device b]\n"
	 "url=iscsi://h/iqn.a:b/1\n",
		"test.conf:3: [device b]: the same LUN as [device a]"},
};

Test(settings, refuses_with_file_and_line)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct settings *s = parse(refused[i].text);
		cr_expect_null(s, "taken: %s", refused[i].text);
		cr_expect_eq(
			strncmp(why, refused[i].why, strlen(refused[i].why)), 0,
			"said: %s\nnot: %s", why, refused[i].why);
		cr_expect_null(strstr(why, "secret@"), "%s", why);
		settings_free(s);
	}
}

Test(settings, survives_every_cut_and_every_byte)
{
	size_t len = strlen(whole);
	char text[sizeof whole];
	for (size_t cut = 0; cut < len; cut++)
		settings_free(
			settings_parse("cut", whole, cut, why, sizeof why));
	for (size_t at = 0; at < len; at++)
		for (int byte = 0; byte < 256; byte += 5) {
			memcpy(text, whole, sizeof text);
			text[at] = (char)byte;
			settings_free(settings_parse(
				"byte", text, len, why, sizeof why));
		}
	settings_free(settings_parse("nul", "[a\0]", 4, why, sizeof why));
	cr_expect(strstr(why, "control character") != NULL);
}

Test(settings, takes_lines_of_any_length)
{
	size_t len = 500000;
	char *text = malloc(len);
	memset(text, 'x', len);
	text[0] = '#';
	memcpy(text + len - 20, "\n[daemon]\ninstance=i", 20);
	struct settings *s = settings_parse("long", text, len, why, sizeof why);
	cr_assert(s != NULL, "%s", why);
	cr_expect_str_eq(settings_text(s, NULL, SET_INSTANCE), "i");
	settings_free(s);
	memset(text, 'y', len);
	cr_expect_null(settings_parse("long", text, len, why, sizeof why));
	free(text);
}

Test(settings, names)
{
	char longest[66];
	memset(longest, 'n', 65);
	longest[65] = '\0';
	cr_expect_not(settings_name_valid(longest));
	longest[64] = '\0';
	cr_expect(settings_name_valid(longest));
	cr_expect(settings_name_valid("%n%s"));
	static const char *const bad[] = {
		"", ".", "..", "a/b", "a\nb", "a\x1b[1m", " a", "a ", "\xff"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_expect_not(settings_name_valid(bad[i]), "%s", bad[i]);
	struct settings *s = settings_new();
	cr_expect_null(settings_add(s, SETTING_DEVICE, "a/b"));
	cr_expect_null(s->devices);
	settings_free(s);
}

/* The sample that is installed must be taken as it stands, and still when every
 * key of [daemon] that has a value is switched on. */
Test(settings, sample)
{
	struct settings *s = settings_read(UMPIO_SAMPLE, why, sizeof why);
	cr_assert(s, "%s", why);
	settings_free(s);
	FILE *f = fopen(UMPIO_SAMPLE, "r");
	char text[65536], *out = text, line[1024];
	bool all = false;
	while (fgets(line, sizeof line, f) &&
		strcmp(line, "#[target NAME]\n") != 0) {
		all |= strcmp(line, "[daemon]\n") == 0;
		bool key = all && line[0] == '#' && strchr(line, '=') &&
			   line[1] != ' ' && !strstr(line, "=\n");
		out += sprintf(out, "%s", line + key);
	}
	fclose(f);
	s = settings_parse(
		"sample", text, (size_t)(out - text), why, sizeof why);
	cr_assert(s, "%s", why);
	cr_expect(settings_is_set(s, NULL, SET_SHUTDOWN_TIMEOUT));
	settings_free(s);
}
