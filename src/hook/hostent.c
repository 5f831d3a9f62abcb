/* SPDX-License-Identifier: MIT
 *
 * hostent.c - gethostbyname and its family, on a helper thread like the rest of
 * name resolution.
 *
 * The helper asks libc's reentrant variant into memory of the job. A caller of
 * a reentrant function gets a copy in his own buffer; a caller of a static one
 * gets the job itself, kept until the next such call of his thread returns:
 * one task's result does not change under it while another task's query runs.
 */
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include <base/fault.h>
#include <hook/hook.h>

const char weft__hook_link_hostent;

struct host_job {
	struct hook_job job;
	int family; /* of the address, or of the name; AF_UNSPEC: gethostbyname */
	bool by_address;
	socklen_t address_bytes;
	int result, herr;
	struct hostent host, *found;
	char *buf;
	char key[]; /* the name, or the address */
};

static void drop_host(struct hook_job *job)
{
	struct host_job *self = container_of(job, struct host_job, job);

	weft__free(self->buf);
	weft__free(self);
}

static int ask(struct host_job *self, size_t bytes)
{
	if (self->by_address)
		return weft__real.gethostbyaddr_r(self->key, self->address_bytes, self->family,
						  &self->host, self->buf, bytes, &self->found,
						  &self->herr);
	if (self->family == AF_UNSPEC)
		return weft__real.gethostbyname_r(self->key, &self->host, self->buf, bytes,
						  &self->found, &self->herr);
	return weft__real.gethostbyname2_r(self->key, self->family, &self->host, self->buf, bytes,
					   &self->found, &self->herr);
}

/* Asks with growing room until the answer fits. */
static void run_host(struct hook_job *job)
{
	struct host_job *self = container_of(job, struct host_job, job);
	size_t bytes = 1024;

	do {
		weft__free(self->buf);
		self->buf = weft__malloc(bytes);
		if (!self->buf) {
			self->result = ENOMEM;
			self->herr = NETDB_INTERNAL;
			return;
		}
		self->found = NULL;
		self->result = ask(self, bytes);
		bytes *= 2;
	} while (self->result == ERANGE);
}

/* 0 with the finished job, or -errno: it could not be asked. */
static int look_up(struct task *task, bool by_address, int family, const void *key,
		   size_t key_bytes, struct host_job **ret_job)
{
	struct host_job *job = weft__malloc(sizeof *job + key_bytes);
	int rc;

	if (!job)
		return -ENOMEM;
	memset(job, 0, sizeof *job);
	job->job = (struct hook_job){ .run = run_host, .drop = drop_host };
	job->family = family;
	job->by_address = by_address;
	job->address_bytes = (socklen_t)key_bytes;
	memcpy(job->key, key, key_bytes);
	rc = weft__hook_job_run(task, &job->job);
	if (rc == 0)
		*ret_job = job;
	return rc;
}

/* --- the static ones ------------------------------------------------------------------- */

/* The last answer of this thread. */
static __thread struct host_job *last_answer;

/* h_errno belongs to the thread as errno does: written last, and by its own. */
static noinline void set_h_errno(int herr)
{
	h_errno = herr;
}

static struct hostent *answer(struct task *task, bool by_address, int family, const void *key,
			      size_t key_bytes)
{
	struct host_job *job = NULL;
	int rc = look_up(task, by_address, family, key, key_bytes, &job);

	if (rc < 0) {
		set_h_errno(NETDB_INTERNAL);
		weft__hook_fail(rc);
		return NULL;
	}
	if (!job->found) {
		set_h_errno(job->herr);
		if (job->job.error)
			weft__hook_fail(-job->job.error);
		weft__hook_job_put(&job->job);
		return NULL;
	}
	if (last_answer)
		weft__hook_job_put(&last_answer->job);
	last_answer = job;
	return &job->host;
}

HOOK struct hostent *gethostbyname(const char *name)
{
	struct task *self = hooked(HOOK_DNS);

	if (!self)
		return weft__real.gethostbyname(name);
	return answer(self, false, AF_UNSPEC, name, strlen(name) + 1);
}

HOOK struct hostent *gethostbyname2(const char *name, int family)
{
	struct task *self = hooked(HOOK_DNS);

	if (!self || family == AF_UNSPEC)
		return weft__real.gethostbyname2(name, family);
	return answer(self, false, family, name, strlen(name) + 1);
}

HOOK struct hostent *gethostbyaddr(const void *addr, socklen_t len, int family)
{
	struct task *self = hooked(HOOK_DNS);

	if (!self)
		return weft__real.gethostbyaddr(addr, len, family);
	return answer(self, true, family, addr, len);
}

/* --- the reentrant ones ------------------------------------------------------------------ */

/* Carves a caller's buffer. */
struct room {
	char *at;
	size_t left;
};

static void *carve(struct room *room, size_t bytes, size_t align)
{
	size_t skip = -(uintptr_t)room->at & (align - 1);
	char *block = room->at + skip;

	if (room->left < skip + bytes)
		return NULL;
	room->at = block + bytes;
	room->left -= skip + bytes;
	return block;
}

/* A NULL-terminated list of items, copied. @item_bytes 0: they are strings. */
static char **copy_list(struct room *room, char **list, size_t item_bytes)
{
	size_t count = 0, i;
	char **copy;

	while (list[count])
		count++;
	copy = carve(room, (count + 1) * sizeof *copy, sizeof *copy);
	for (i = 0; copy && i < count; i++) {
		size_t bytes = item_bytes ? item_bytes : strlen(list[i]) + 1;

		copy[i] = carve(room, bytes, item_bytes ? sizeof(uint32_t) : 1);
		if (!copy[i])
			return NULL;
		memcpy(copy[i], list[i], bytes);
	}
	if (copy)
		copy[count] = NULL;
	return copy;
}

static int copy_host(const struct hostent *from, struct hostent *to, char *buf, size_t size)
{
	struct room room = { buf, size };
	size_t name_bytes = strlen(from->h_name) + 1;

	*to = *from;
	to->h_aliases = copy_list(&room, from->h_aliases, 0);
	to->h_addr_list = copy_list(&room, from->h_addr_list, (size_t)from->h_length);
	to->h_name = carve(&room, name_bytes, 1);
	if (!to->h_aliases || !to->h_addr_list || !to->h_name)
		return ERANGE;
	memcpy(to->h_name, from->h_name, name_bytes);
	return 0;
}

/* Where a caller wants his answer. */
struct place {
	struct hostent *host, **ret;
	char *buf;
	size_t size;
	int *herr;
};

/* As libc: an error number; errno, too, when the buffer is too small. */
static int answer_into(struct task *task, bool by_address, int family, const void *key,
		       size_t key_bytes, const struct place *place)
{
	struct host_job *job = NULL;
	int rc = look_up(task, by_address, family, key, key_bytes, &job);

	*place->ret = NULL;
	*place->herr = NETDB_INTERNAL;
	if (rc < 0)
		return -rc;
	rc = job->result;
	if (!job->found) {
		*place->herr = job->herr;
	} else {
		rc = copy_host(&job->host, place->host, place->buf, place->size);
		if (rc == 0) {
			*place->ret = place->host;
			*place->herr = job->herr;
		}
	}
	weft__hook_job_put(&job->job);
	if (rc == ERANGE)
		weft__hook_fail(-ERANGE);
	return rc;
}

HOOK int gethostbyname_r(const char *restrict name, struct hostent *restrict host,
			 char *restrict buf, size_t size, struct hostent **restrict ret,
			 int *restrict herr)
{
	struct task *self = hooked(HOOK_DNS);

	if (!self)
		return weft__real.gethostbyname_r(name, host, buf, size, ret, herr);
	return answer_into(self, false, AF_UNSPEC, name, strlen(name) + 1,
			   &(struct place){ host, ret, buf, size, herr });
}

HOOK int gethostbyname2_r(const char *restrict name, int family, struct hostent *restrict host,
			  char *restrict buf, size_t size, struct hostent **restrict ret,
			  int *restrict herr)
{
	struct task *self = hooked(HOOK_DNS);

	if (!self || family == AF_UNSPEC)
		return weft__real.gethostbyname2_r(name, family, host, buf, size, ret, herr);
	return answer_into(self, false, family, name, strlen(name) + 1,
			   &(struct place){ host, ret, buf, size, herr });
}

HOOK int gethostbyaddr_r(const void *restrict addr, socklen_t len, int family,
			 struct hostent *restrict host, char *restrict buf, size_t size,
			 struct hostent **restrict ret, int *restrict herr)
{
	struct task *self = hooked(HOOK_DNS);

	if (!self)
		return weft__real.gethostbyaddr_r(addr, len, family, host, buf, size, ret, herr);
	return answer_into(self, true, family, addr, len,
			   &(struct place){ host, ret, buf, size, herr });
}
