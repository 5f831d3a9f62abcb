/* SPDX-License-Identifier: MIT
 *
 * dns.c - name resolution on a helper thread. libc's resolver makes its calls
 * where no hook sees them, so it is offloaded whole.
 *
 * The job owns copies of the questions, and is owned by two: the task that
 * asks and the helper that works. Whoever lets go last frees it, and with it
 * an answer that nobody has taken.
 */
#include <netdb.h>
#include <string.h>

#include <base/fault.h>
#include <io/blocking.h>

struct resolve_job {
	_Atomic uint32_t refs;
	int status, error; /* getaddrinfo()'s, and errno */
	struct addrinfo *list;
	struct addrinfo hints;
	bool has_hints;
	const char *host, *service; /* into text, or NULL */
	char text[];
};

static void job_put(struct resolve_job *job)
{
	if (!ref_put(&job->refs))
		return;
	if (job->list)
		freeaddrinfo(job->list);
	weft__free(job);
}

static void run_job(void *arg)
{
	struct resolve_job *job = arg;

	errno = 0;
	job->status = getaddrinfo(job->host, job->service, job->has_hints ? &job->hints : NULL,
				  &job->list);
	job->error = errno;
	if (job->status != 0)
		job->list = NULL;
	job_put(job);
}

static size_t room_for(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static struct resolve_job *job_new(const char *host, const char *service,
				   const struct addrinfo *hints)
{
	size_t host_bytes = room_for(host), service_bytes = room_for(service);
	struct resolve_job *job = weft__malloc(sizeof *job + host_bytes + service_bytes);

	if (!job)
		return NULL;
	*job = (struct resolve_job){ .refs = 2, .has_hints = hints != NULL };
	if (hints)
		job->hints = *hints;
	if (host)
		job->host = memcpy(job->text, host, host_bytes);
	if (service)
		job->service = memcpy(job->text + host_bytes, service, service_bytes);
	return job;
}

int weft__io_resolve(const char *host, const char *service, const struct addrinfo *hints,
		     int64_t deadline_ns, struct addrinfo **ret_list, int *ret_status,
		     int *ret_errno)
{
	int rc;
	struct task *self = weft__task_self(&rc);
	struct resolve_job *job;
	uint64_t ticket;

	if (!self)
		return rc;
	ticket = weft__park_begin(self);
	if (!ticket)
		return weft__park_refusal(self);
	job = job_new(host, service, hints);
	rc = job ? weft__offload_submit(run_job, job, ticket) : -ENOMEM;
	if (rc < 0) {
		weft__park_abort(self);
		weft__free(job);
		return rc;
	}
	rc = weft__park(self, WAIT_OFFLOAD, deadline_ns);
	if (rc == 0) {
		*ret_status = job->status;
		*ret_errno = job->error;
		if (job->status == 0) {
			*ret_list = job->list;
			job->list = NULL;
		}
	}
	job_put(job);
	return rc;
}
