/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fails allocations of a program that it is preloaded into, one way to an
 * allocation at a time. A way is told by the nearest return addresses within
 * the program itself, and by the library that asked in between, if any.
 *
 *   UMPIO_WAYS   a file that gets a `struct ways`: all that were seen. It is
 *                shared, so it is there also after a crash
 *   UMPIO_FAIL   WAY:FIRST:MANY, the way's number in hexadecimal: its hits
 *                FIRST to FIRST + MANY - 1 fail; FIRST is 1 or more
 *
 * Both are taken out of the environment, so that children have memory.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

#define OWN_FRAMES  6  /* of the program, which make a way */
#define MAX_FRAMES  40 /* that are looked at */
#define MAX_WAYS    4096
#define LIBRARY_LEN 32

struct way {
	uint64_t number;
	uint32_t hits;
	uint32_t nframes;
	uint64_t frames[OWN_FRAMES]; /* from the program's base */
	char library[LIBRARY_LEN];   /* that asked; empty: the program did */
};

/* alloc/ways.py reads it. */
struct ways {
	uint32_t nways, failed;
	struct way ways[MAX_WAYS];
};

static struct ways *ways; /* NULL: not looking */
static uint64_t number, first, many;
static uintptr_t text, text_end, base;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread unsigned inside __attribute__((tls_model("initial-exec")));

static void *find(const char *name)
{
	void *at;

	inside++; /* dlsym() may allocate, and does without */
	at = dlsym(RTLD_NEXT, name);
	inside--;
	if (!at)
		abort();
	return at;
}

/* Where the program's own instructions are. */
static int on_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	base = info->dlpi_addr;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		text = base + p->p_vaddr;
		text_end = text + p->p_memsz;
	}
	return 1; /* the first one is the program */
}

static void open_ways(const char *file)
{
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *at = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof *ways) == 0)
		at = mmap(NULL, sizeof *ways, PROT_READ | PROT_WRITE,
			MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		abort();
	close(fd);
	ways = at;
}

__attribute__((constructor)) static void start(void)
{
	const char *file = getenv("UMPIO_WAYS"), *fail = getenv("UMPIO_FAIL");
	char *end;

	inside++;
	if (fail) {
		number = strtoull(fail, &end, 16);
		first = *end ? strtoull(end + 1, &end, 10) : 1;
		many = *end ? strtoull(end + 1, NULL, 10) : 1;
	}
	dl_iterate_phdr(on_object, NULL);
	if (file)
		open_ways(file);
	unsetenv("LD_PRELOAD");
	unsetenv("UMPIO_WAYS");
	unsetenv("UMPIO_FAIL");
	inside--;
}

static const char *library_of(void *address)
{
	const char *name = "?", *slash;
	Dl_info info;

	if (dladdr(address, &info) && info.dli_fname)
		name = info.dli_fname;
	slash = strrchr(name, '/');
	return slash ? slash + 1 : name;
}

/* The C library does it for whoever called it, and the sanitizers' for the C
 * library. */
static bool is_between(const char *library)
{
	static const char *const names[] = {
		"libc.so", "libasan.so", "libubsan.so", "alloc_preload.so"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strncmp(library, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

struct look {
	struct way *way;
	unsigned depth;
};

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *arg)
{
	struct look *look = arg;
	struct way *way = look->way;
	uintptr_t at = _Unwind_GetIP(context);

	if (at >= text && at < text_end) {
		way->frames[way->nframes++] = at - base;
	} else if (way->nframes == 0 && !way->library[0]) {
		const char *library = library_of((void *)at);

		if (!is_between(library))
			strncpy(way->library, library, LIBRARY_LEN - 1);
	}
	return way->nframes == OWN_FRAMES || ++look->depth == MAX_FRAMES
		       ? _URC_END_OF_STACK
		       : _URC_NO_REASON;
}

static void look(struct way *way)
{
	struct look look = {.way = way};

	_Unwind_Backtrace(on_frame, &look);
	way->number = 14695981039346656037u; /* FNV-1a */
	for (unsigned i = 0; i < way->nframes; i++)
		way->number = (way->number ^ way->frames[i]) * 1099511628211u;
	for (const char *p = way->library; *p; p++)
		way->number =
			(way->number ^ (unsigned char)*p) * 1099511628211u;
}

static struct way *keep(const struct way *seen)
{
	struct way *way;

	for (unsigned i = 0; i < ways->nways; i++)
		if (ways->ways[i].number == seen->number)
			return &ways->ways[i];
	if (ways->nways == MAX_WAYS)
		return NULL;
	way = &ways->ways[ways->nways];
	*way = *seen;
	ways->nways++;
	return way;
}

/* What nobody of the program's is behind, is not looked at: constructors. */
static bool fails(void)
{
	struct way seen = {0}, *way;
	bool now = false;

	if (!ways || inside)
		return false;
	inside++;
	look(&seen);
	pthread_mutex_lock(&lock);
	way = seen.nframes ? keep(&seen) : NULL;
	if (way) {
		way->hits++;
		now = way->number == number && way->hits >= first &&
		      way->hits - first < many;
		ways->failed += now;
	}
	pthread_mutex_unlock(&lock);
	inside--;
	if (now)
		errno = ENOMEM;
	return now;
}

/* Each of these may call another one below. */
#define BELOW(type, name, ...)                                                 \
	static type (*below)(__VA_ARGS__);                                     \
	if (!below)                                                            \
	below = (type(*)(__VA_ARGS__))find(name)

#define GIVE(call)                                                             \
	do {                                                                   \
		void *given;                                                   \
		inside++;                                                      \
		given = (call);                                                \
		inside--;                                                      \
		return given;                                                  \
	} while (0)

void *malloc(size_t size)
{
	BELOW(void *, "malloc", size_t);
	if (fails())
		return NULL;
	GIVE(below(size));
}

void *calloc(size_t n, size_t size)
{
	static bool finding; /* dlsym() asks, and lives with a no */
	static void *(*below)(size_t, size_t);

	if (!below) {
		if (finding)
			return NULL;
		finding = true;
		below = (void *(*)(size_t, size_t))find("calloc");
		finding = false;
	}
	if (fails())
		return NULL;
	GIVE(below(n, size));
}

void *realloc(void *p, size_t size)
{
	BELOW(void *, "realloc", void *, size_t);
	if (size > 0 && fails())
		return NULL;
	GIVE(below(p, size));
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, bytes);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	BELOW(void *, "aligned_alloc", size_t, size_t);
	if (fails())
		return NULL;
	GIVE(below(alignment, size));
}

int posix_memalign(void **to, size_t alignment, size_t size)
{
	int err;
	BELOW(int, "posix_memalign", void **, size_t, size_t);

	if (fails())
		return ENOMEM;
	inside++;
	err = below(to, alignment, size);
	inside--;
	return err;
}

char *strdup(const char *s)
{
	BELOW(char *, "strdup", const char *);
	if (fails())
		return NULL;
	GIVE(below(s));
}

char *strndup(const char *s, size_t n)
{
	BELOW(char *, "strndup", const char *, size_t);
	if (fails())
		return NULL;
	GIVE(below(s, n));
}

/* Of buffers: what has no file behind it. */
void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	BELOW(void *, "mmap", void *, size_t, int, int, int, off_t);
	if ((flags & MAP_ANONYMOUS) && fails())
		return MAP_FAILED;
	GIVE(below(at, len, prot, flags, fd, offset));
}

/* The stack of a thread, too, is memory. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
	void *(*run)(void *), void *arg)
{
	int err;
	BELOW(int, "pthread_create", pthread_t *, const pthread_attr_t *,
		void *(*)(void *), void *);

	if (fails())
		return EAGAIN;
	inside++;
	err = below(thread, attr, run, arg);
	inside--;
	return err;
}
