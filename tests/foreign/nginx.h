/* SPDX-License-Identifier: MIT
 *
 * nginx.h - the distribution's nginx, serving one directory on a free loopback
 * port, slowly: one process, started and stopped by its id.
 */
#ifndef WEFT_TESTS_NGINX_H
#define WEFT_TESTS_NGINX_H

#include <sys/types.h>

struct nginx {
	pid_t pid;
	int port;
	char dir[64]; /* what it serves, and keeps its own files in */
};

/** The path of nginx, or NULL. */
const char *nginx_path(void);

/** Makes nginx->dir and puts a file into it. */
void nginx_prepare(struct nginx *nginx);
void nginx_file(const struct nginx *nginx, const char *name, const void *bytes, size_t count);

/**
 * nginx_start - serve nginx->dir
 * @bytes_per_second: for each connection; 0: as fast as it can
 * @preload:          a library for its LD_PRELOAD, or NULL
 *
 * Returns when it accepts connections; a failure ends the test. It is a child
 * in the caller's process group, so it dies with the test.
 */
void nginx_start(struct nginx *nginx, int bytes_per_second, const char *preload);

/** Stops it, checks that it ended well, and removes the directory. */
void nginx_stop(struct nginx *nginx);

#endif
