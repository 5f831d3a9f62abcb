/* SPDX-License-Identifier: MIT
 *
 * file.c - regular files, and whatever else cannot be polled. What the page
 * cache has is read at once (RWF_NOWAIT); the rest is for a helper thread.
 *
 * A job lies on the heap. It points to the caller's buffers if these stay in
 * place while the task is parked; else (a shared stack) it carries their bytes.
 */
#include <string.h>
#include <sys/uio.h>

#include <base/fault.h>
#include <base/syscall.h>
#include <io/file.h>

enum { BOUNCE_MAX = 1 << 20 };

enum file_op { FILE_READ, FILE_WRITE, FILE_SYNC, FILE_SYNC_DATA };

struct file_job {
	enum file_op op;
	int fd;
	off_t offset;
	const struct iovec *vec;
	size_t count;
	ssize_t result;
	struct iovec bounce; /* vec, when the bytes are in data */
	char data[];
};

/* --- the helper's side ----------------------------------------------------- */

static void run_job(void *arg)
{
	struct file_job *job = arg;
	bool read = job->op == FILE_READ;

	if (job->op >= FILE_SYNC)
		job->result =
			weft__syscall(job->op == FILE_SYNC ? SYS_fsync : SYS_fdatasync, job->fd);
	else if (job->offset == FILE_CURRENT)
		job->result =
			weft__syscall(read ? SYS_readv : SYS_writev, job->fd, job->vec, job->count);
	else
		job->result = weft__syscall(read ? SYS_preadv : SYS_pwritev, job->fd, job->vec,
					    job->count, job->offset, 0);
}

/* --- the task's side ------------------------------------------------------- */

static ssize_t run(struct task *self, struct file_job *job)
{
	uint64_t ticket = weft__park_begin_shielded(self);
	int rc = weft__offload_submit(run_job, job, ticket);

	if (rc < 0) {
		weft__park_abort(self);
		return rc;
	}
	weft__park(self, WAIT_OFFLOAD, WEFT_FOREVER);
	return job->result;
}

static bool frame_stays(const struct task *self)
{
	return !self->strand.shared && !weft__thread.coroutine;
}

static ssize_t transfer_in_place(struct task *self, struct file_job *job,
				 const struct cursor *cursor, size_t *chunk)
{
	struct iovec window[CURSOR_WINDOW];

	job->vec = window;
	job->count = weft__cursor_window(cursor, window);
	*chunk = (size_t)weft__iov_bytes(window, job->count);
	return run(self, job);
}

/* Copies between @data and what the cursor stands at. */
static void copy(const struct cursor *cursor, char *data, size_t bytes, bool into_user)
{
	struct cursor at = *cursor;

	while (bytes) {
		char *user = (char *)at.vec->iov_base + at.skip;
		size_t part = at.vec->iov_len - at.skip;

		part = part < bytes ? part : bytes;
		memcpy(into_user ? user : data, into_user ? data : user, part);
		data += part;
		bytes -= part;
		weft__cursor_move(&at, part);
	}
}

static ssize_t transfer_copied(struct task *self, struct file_job *job, const struct cursor *cursor,
			       size_t chunk)
{
	ssize_t rc;

	job->vec = &job->bounce;
	job->count = 1;
	job->bounce = (struct iovec){ job->data, chunk };
	if (job->op == FILE_WRITE)
		copy(cursor, job->data, chunk, false);
	rc = run(self, job);
	if (job->op == FILE_READ && rc > 0)
		copy(cursor, job->data, (size_t)rc, true);
	return rc;
}

/* On until all is done or a call falls short, as one system call would. */
static ssize_t transfer(enum file_op op, int fd, struct cursor *cursor, size_t bytes, off_t offset)
{
	int error;
	struct task *self = weft__task_self(&error);
	struct file_job *job;
	size_t done = 0, chunk;
	ssize_t rc;
	bool in_place;

	if (!self)
		return error;
	error = weft__park_refusal(self);
	if (error < 0)
		return error;
	in_place = frame_stays(self);
	chunk = in_place ? 0 : bytes < BOUNCE_MAX ? bytes : BOUNCE_MAX;
	job = weft__malloc(sizeof *job + chunk);
	if (!job)
		return -ENOMEM;
	do {
		*job = (struct file_job){ .op = op, .fd = fd, .offset = offset };
		if (offset != FILE_CURRENT)
			job->offset += (off_t)done;
		if (!in_place && chunk > bytes - done)
			chunk = bytes - done;
		rc = in_place ? transfer_in_place(self, job, cursor, &chunk)
			      : transfer_copied(self, job, cursor, chunk);
		if (rc > 0) {
			weft__cursor_move(cursor, (size_t)rc);
			done += (size_t)rc;
		}
	} while (rc > 0 && (size_t)rc == chunk && done < bytes);
	weft__free(job);
	return done ? (ssize_t)done : rc;
}

/* --- what needs no helper -------------------------------------------------- */

/* RWF_NOWAIT: as much as is in memory. Moves the cursor; >= 0: bytes so far;
 * *ended: that is all there is. */
static ssize_t transfer_cached(struct fd_entry *entry, int fd, bool read, struct cursor *cursor,
			       off_t offset, bool *ended)
{
	uint32_t refused = read ? FD_NO_NOWAIT_READ : FD_NO_NOWAIT_WRITE;
	struct iovec window[CURSOR_WINDOW];
	ssize_t done = 0, rc;

	*ended = false;
	while (cursor->count && !(fd_flags(entry) & refused)) {
		size_t count = weft__cursor_window(cursor, window);
		off_t at = offset == FILE_CURRENT ? offset : offset + done;

		rc = weft__syscall(read ? SYS_preadv2 : SYS_pwritev2, fd, window, count, at, 0,
				   RWF_NOWAIT);
		if (rc == -EOPNOTSUPP || rc == -ENOSYS)
			weft__fd_flags_change(entry, 0, refused);
		if (rc == -EOPNOTSUPP || rc == -ENOSYS || rc == -EAGAIN)
			return done;
		if (rc <= 0) {
			*ended = true;
			return done ? done : rc;
		}
		weft__cursor_move(cursor, (size_t)rc);
		done += rc;
	}
	*ended = cursor->count == 0;
	return done;
}

static ssize_t file_transfer(struct fd_entry *entry, int fd, enum file_op op,
			     const struct iovec *vec, size_t count, off_t offset)
{
	struct cursor cursor = { vec, count, 0 };
	ssize_t bytes = weft__iov_bytes(vec, count), done, rc;
	bool ended;

	if (bytes < 0)
		return bytes;
	weft__cursor_move(&cursor, 0); /* past empty buffers */
	done = transfer_cached(entry, fd, op == FILE_READ, &cursor, offset, &ended);
	if (ended) {
		take_turn();
		return done;
	}
	if (offset != FILE_CURRENT)
		offset += done;
	rc = transfer(op, fd, &cursor, (size_t)(bytes - done), offset);
	return done ? done + (rc > 0 ? rc : 0) : rc;
}

ssize_t weft__file_read(struct fd_entry *entry, int fd, const struct iovec *vec, size_t count,
			off_t offset)
{
	return file_transfer(entry, fd, FILE_READ, vec, count, offset);
}

ssize_t weft__file_write(struct fd_entry *entry, int fd, const struct iovec *vec, size_t count,
			 off_t offset)
{
	return file_transfer(entry, fd, FILE_WRITE, vec, count, offset);
}

/* --- the calls that are for files only -------------------------------------- */

static ssize_t positioned(int fd, enum file_op op, void *buf, size_t bytes, off_t offset)
{
	struct fd_entry *entry = weft__fd(fd);
	struct iovec vec = { buf, bytes };
	int rc;

	if (!entry)
		return fd_missing(fd);
	if (offset < 0)
		return -EINVAL;
	rc = weft__fd_learn(entry, fd);
	if (rc < 0)
		return rc;
	if (!(fd_flags(entry) & FD_FILE)) /* a device; or -ESPIPE */
		return weft__syscall(op == FILE_READ ? SYS_pread64 : SYS_pwrite64, fd, buf, bytes,
				     offset);
	return file_transfer(entry, fd, op, &vec, 1, offset);
}

ssize_t weft__io_pread(int fd, void *buf, size_t bytes, off_t offset)
{
	return positioned(fd, FILE_READ, buf, bytes, offset);
}

ssize_t weft__io_pwrite(int fd, const void *buf, size_t bytes, off_t offset)
{
	return positioned(fd, FILE_WRITE, (void *)buf, bytes, offset);
}

int weft__io_fsync(int fd, bool data_only)
{
	int error;
	struct task *self = weft__task_self(&error);
	struct file_job *job;
	ssize_t rc;

	if (!self)
		return error;
	error = weft__park_refusal(self);
	if (error < 0)
		return error;
	job = weft__malloc(sizeof *job);
	if (!job)
		return -ENOMEM;
	*job = (struct file_job){ .op = data_only ? FILE_SYNC_DATA : FILE_SYNC, .fd = fd };
	rc = run(self, job);
	weft__free(job);
	return (int)rc;
}
