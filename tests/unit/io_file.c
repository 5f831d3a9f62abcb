/* SPDX-License-Identifier: MIT
 *
 * io_file.c - files by helper threads, and names.
 */
#include "io.h"

#include <netdb.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <base/fault.h>

enum { MS = 1000000, BIG = 3 << 20 };

static int open_file(void)
{
	char path[] = "file-XXXXXX";
	int fd = mkstemp(path);

	CHECK_GE(fd, 0);
	unlink(path);
	return fd;
}

static int round_trip(void *arg)
{
	char text[] = "0123456789", buf[16] = "";
	int fd = *(int *)arg;

	CHECK_EQ(weft_write(fd, text, 10, WEFT_FOREVER), 10);
	CHECK_EQ(weft_pwrite(fd, "ab", 2, 4), 2);
	CHECK_EQ(weft_fsync(fd), 0);
	CHECK_EQ(weft_read(fd, buf, sizeof buf, WEFT_FOREVER), 0); /* at the end */
	CHECK_EQ(weft_pread(fd, buf, sizeof buf, 3), 7);
	CHECK_EQ(memcmp(buf, "3ab6789", 7), 0);
	CHECK_EQ(weft_pread(fd, buf, sizeof buf, 100), 0);
	CHECK_EQ(weft_pread(fd, buf, 1, -1), -EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(weft_read(fd, buf, 4, WEFT_FOREVER), 4);
	CHECK_EQ(weft_read(fd, buf, sizeof buf, 1), 6); /* a file has no deadline */
	CHECK_EQ(memcmp(buf, "ab6789", 6), 0);
	return 0;
}

RUN_TEST(file, on_a_private_and_on_a_shared_stack)
{
	weft_stack_group *group;
	weft_attr attr = { 0 };
	weft_task *tasks[3];
	int fds[4];

	for (int i = 0; i < 4; i++)
		fds[i] = i == 3 ? (int)memfd_create("weft", 0) : open_file();
	CHECK_EQ(weft_stack_group_new(&group, 1, 64 << 10), 0);
	attr.shared = group;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_spawn(&tasks[i], &attr, round_trip, &fds[i + 1]), 0);
	CHECK_EQ(round_trip(&fds[0]), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(finish(tasks[i]), 0);
	CHECK_EQ(weft_stack_group_free(group), 0);
	return 0;
}

static int copy_big(void *arg)
{
	int from = ((int *)arg)[0], to = ((int *)arg)[1];
	char *data = malloc(BIG), *back = malloc(BIG);

	for (int i = 0; i < BIG; i++)
		data[i] = (char)(i * 7 + (i >> 9));
	CHECK_EQ(weft_write(from, data, BIG, WEFT_FOREVER), BIG);
	CHECK_EQ(lseek(from, 0, SEEK_SET), 0);
	CHECK_EQ(weft_read(from, back, BIG, WEFT_FOREVER), BIG);
	CHECK_EQ(memcmp(data, back, BIG), 0);
	for (int at = 0; at < BIG;) {
		struct iovec vec[12];

		for (int i = 0; i < 12; i++)
			vec[i] = (struct iovec){ back + at + i * 1000, 1000 };
		if (BIG - at < 12000)
			vec[0] = (struct iovec){ back + at, (size_t)(BIG - at) };
		CHECK_EQ(weft_writev(to, vec, BIG - at < 12000 ? 1 : 12, WEFT_FOREVER),
			 BIG - at < 12000 ? BIG - at : 12000);
		at += 12000;
	}
	memset(back, 0, BIG);
	CHECK_EQ(weft_pread(to, back, BIG, 0), BIG);
	CHECK_EQ(memcmp(data, back, BIG), 0);
	free(data);
	free(back);
	return 0;
}

RUN_TEST(file, megabytes_in_place_and_copied)
{
	weft_stack_group *group;
	weft_attr attr = { 0 };
	weft_task *task;
	int fds[2] = { open_file(), open_file() };

	CHECK_EQ(copy_big(fds), 0);
	CHECK_EQ(ftruncate(fds[0], 0), 0);
	CHECK_EQ(ftruncate(fds[1], 0), 0);
	CHECK_EQ(lseek(fds[0], 0, SEEK_SET) + lseek(fds[1], 0, SEEK_SET), 0);
	CHECK_EQ(weft_stack_group_new(&group, 1, 64 << 10), 0);
	attr.shared = group;
	CHECK_EQ(weft_spawn(&task, &attr, copy_big, fds), 0);
	CHECK_EQ(finish(task), 0);
	CHECK_EQ(weft_stack_group_free(group), 0);
	return 0;
}

RUN_TEST(file, errors)
{
	int fd = open("/proc/self/exe", O_RDONLY), directory = open("/", O_RDONLY), pipes[2];
	char byte;

	CHECK_EQ(weft_write(fd, "x", 1, WEFT_FOREVER), -EBADF);
	CHECK_EQ(weft_pwrite(fd, "x", 1, 0), -EBADF);
	CHECK_EQ(weft_read(directory, &byte, 1, WEFT_FOREVER), -EISDIR);
	CHECK_EQ(pipe(pipes), 0);
	CHECK_EQ(weft_pread(pipes[0], &byte, 1, 0), -ESPIPE);
	CHECK_EQ(weft_fsync(pipes[0]), -EINVAL);
	CHECK_EQ(weft_fsync(900), -EBADF);
	CHECK_EQ(weft_read(fd, NULL, 0, WEFT_FOREVER), 0);
	return 0;
}

static int read_cancelled(void *arg)
{
	char byte;

	CHECK_EQ(weft_task_yield(), -ECANCELED);
	CHECK_EQ(weft_fsync(*(int *)arg), -ECANCELED);
	return (int)weft_pwrite(*(int *)arg, &byte, 1, 0);
}

RUN_TEST(file, cancelled_before_it_begins)
{
	int fd = open_file();
	weft_task *task = start(read_cancelled, &fd);

	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(finish(task), -ECANCELED);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
	return 0;
}

RUN_TEST(file, survives_the_nth_failure)
{
	int fd = open_file();

	for (unsigned n = 1;; n++) {
		ssize_t rc;

		weft__fault_fail(n);
		rc = weft_pwrite(fd, "abc", 3, 0);
		CHECK(rc == 3 || rc == -ENOMEM);
		if (!weft__fault_fired())
			break;
	}
	weft__fault_fail(0);
	return 0;
}

/* Devices without poll: they answer at once. */
RUN_TEST(file, devices)
{
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY);
	char buf[4] = "abc";

	CHECK_EQ(weft_write(null, buf, 4, WEFT_FOREVER), 4);
	CHECK_EQ(weft_read(null, buf, 4, WEFT_FOREVER), 0);
	CHECK_EQ(weft_read(zero, buf, 4, WEFT_FOREVER), 4);
	CHECK_EQ(buf[0], 0);
	return 0;
}

/* --- names ----------------------------------------------------------------------- */

RUN_TEST(resolve, numbers)
{
	struct addrinfo hints = { .ai_family = AF_INET,
				  .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_NUMERICHOST };
	struct addrinfo *list = NULL;
	struct sockaddr_in *addr;

	CHECK_EQ(weft_resolve("127.0.0.1", "8080", &hints, WEFT_FOREVER, &list), 0);
	addr = (struct sockaddr_in *)list->ai_addr;
	CHECK_EQ(addr->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	CHECK_EQ(addr->sin_port, htons(8080));
	freeaddrinfo(list);
	list = NULL;
	CHECK_EQ(weft_resolve("not-a-number", NULL, &hints, WEFT_FOREVER, &list), -ENOENT);
	CHECK(!list);
	hints.ai_flags = 0x40000000;
	CHECK_EQ(weft_resolve("127.0.0.1", NULL, &hints, WEFT_FOREVER, &list), -EINVAL);
	hints = (struct addrinfo){ .ai_family = 77 };
	CHECK_EQ(weft_resolve("127.0.0.1", NULL, &hints, WEFT_FOREVER, &list), -EAFNOSUPPORT);
	CHECK_EQ(weft_resolve(NULL, NULL, NULL, WEFT_FOREVER, &list), -ENOENT);
	return 0;
}

RUN_TEST(resolve, late_answers_free_themselves)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST };
	struct addrinfo *list = NULL;

	for (int i = 0; i < 50; i++) {
		int rc = weft_resolve("127.0.0.1", "80", &hints, weft_now(), &list);

		CHECK(rc == 0 || rc == -ETIMEDOUT);
		if (rc == 0)
			freeaddrinfo(list);
	}
	weft_sleep(5 * MS);
	return 0;
}

static int resolve_cancelled(void *arg)
{
	struct addrinfo *list = arg;

	return weft_resolve("127.0.0.1", "80", NULL, WEFT_FOREVER, &list);
}

RUN_TEST(resolve, cancelled_and_without_memory)
{
	struct addrinfo *list = NULL;
	weft_task *task = start(resolve_cancelled, NULL);

	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(finish(task), -ECANCELED);
	for (unsigned n = 1;; n++) {
		int rc;

		weft__fault_fail(n);
		rc = weft_resolve("127.0.0.1", "80", NULL, WEFT_FOREVER, &list);
		if (rc == 0)
			freeaddrinfo(list);
		CHECK(rc == 0 || rc == -ENOMEM);
		if (!weft__fault_fired())
			break;
	}
	weft__fault_fail(0);
	return 0;
}
