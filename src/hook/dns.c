/* SPDX-License-Identifier: MIT
 *
 * dns.c - name resolution: libc does it with calls of its own that cannot be
 * replaced (D12), so all of it runs on a helper thread.
 *
 * A cancelled task leaves at once; the answer that comes later frees itself.
 */
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include <base/fault.h>
#include <hook/hook.h>

const char weft__hook_link_dns;

/* --- getaddrinfo ------------------------------------------------------------------ */

HOOK int getaddrinfo(const char *restrict node, const char *restrict service,
		     const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
	struct addrinfo *list;
	int status, error, rc;

	if (!hooked(HOOK_DNS))
		return weft__real.getaddrinfo(node, service, hints, ret);
	rc = weft__io_resolve(node, service, hints, WEFT_FOREVER, &list, &status, &error);
	if (rc == -ENOMEM)
		return EAI_MEMORY;
	if (rc == -EAGAIN)
		return EAI_AGAIN;
	if (rc < 0) {
		weft__hook_fail(rc);
		return EAI_SYSTEM;
	}
	if (status == EAI_SYSTEM)
		weft__hook_fail(-error);
	if (status == 0)
		*ret = list;
	return status;
}

/* --- getnameinfo ------------------------------------------------------------------ */

struct name_job {
	struct hook_job job;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	int flags, result;
	bool want_host, want_service;
	char host[NI_MAXHOST], service[NI_MAXSERV];
};

static void run_name(struct hook_job *job)
{
	struct name_job *self = container_of(job, struct name_job, job);

	self->result = weft__real.getnameinfo(
		(const struct sockaddr *)&self->addr, self->addr_len,
		self->want_host ? self->host : NULL, self->want_host ? sizeof self->host : 0,
		self->want_service ? self->service : NULL,
		self->want_service ? sizeof self->service : 0, self->flags);
}

static void drop_name(struct hook_job *job)
{
	weft__free(container_of(job, struct name_job, job));
}

/* Both strings or neither: EAI_OVERFLOW when one does not fit. */
static int copy_names(const struct name_job *job, char *host, socklen_t host_len, char *service,
		      socklen_t service_len)
{
	if ((job->want_host && strlen(job->host) >= host_len) ||
	    (job->want_service && strlen(job->service) >= service_len))
		return EAI_OVERFLOW;
	if (job->want_host)
		strcpy(host, job->host);
	if (job->want_service)
		strcpy(service, job->service);
	return 0;
}

HOOK int getnameinfo(const struct sockaddr *restrict addr, socklen_t addr_len, char *restrict host,
		     socklen_t host_len, char *restrict service, socklen_t service_len, int flags)
{
	struct task *self = hooked(HOOK_DNS);
	struct name_job *job;
	int rc;

	/* Nothing is looked up for numbers. */
	if (!self || addr_len > sizeof job->addr ||
	    (flags & (NI_NUMERICHOST | NI_NUMERICSERV)) == (NI_NUMERICHOST | NI_NUMERICSERV))
		return weft__real.getnameinfo(addr, addr_len, host, host_len, service, service_len,
					      flags);
	job = weft__malloc(sizeof *job);
	if (!job)
		return EAI_MEMORY;
	job->job = (struct hook_job){ .run = run_name, .drop = drop_name };
	memcpy(&job->addr, addr, addr_len);
	job->addr_len = addr_len;
	job->flags = flags;
	job->want_host = host && host_len;
	job->want_service = service && service_len;
	rc = weft__hook_job_run(self, &job->job);
	if (rc < 0) {
		weft__hook_fail(rc);
		return EAI_SYSTEM;
	}
	rc = job->result;
	if (rc == EAI_SYSTEM)
		weft__hook_fail(-job->job.error);
	if (rc == 0)
		rc = copy_names(job, host, host_len, service, service_len);
	weft__hook_job_put(&job->job);
	return rc;
}
