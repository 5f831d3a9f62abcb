/* SPDX-License-Identifier: MIT
 *
 * nginx.c - see nginx.h. Nothing here may run inside a task.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nginx.h"
#include "test.h"

const char *nginx_path(void)
{
	static const char *const places[] = { "/usr/sbin/nginx", "/usr/local/sbin/nginx",
					      "/usr/bin/nginx", "/usr/local/bin/nginx" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (access(places[i], X_OK) == 0)
			return places[i];
	}
	return NULL;
}

void nginx_prepare(struct nginx *nginx)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(nginx->dir, sizeof(nginx->dir), "%s/weft-nginx-XXXXXX",
		 tmp && strlen(tmp) < 32 ? tmp : "/tmp");
	CHECK(mkdtemp(nginx->dir));
}

void nginx_file(const struct nginx *nginx, const char *name, const void *bytes, size_t count)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", nginx->dir, name);
	file = fopen(path, "we");
	CHECK(file);
	CHECK_EQ(fwrite(bytes, 1, count, file), count);
	CHECK_EQ(fclose(file), 0);
}

static void configure(const struct nginx *nginx, int bytes_per_second)
{
	static const char format[] = "daemon off;\nmaster_process off;\n"
				     "error_log %s/error.log;\npid %s/nginx.pid;\n"
				     "events { worker_connections 1024; }\n"
				     "http {\n access_log off;\n"
				     " client_body_temp_path %s/t;\n proxy_temp_path %s/t;\n"
				     " fastcgi_temp_path %s/t;\n uwsgi_temp_path %s/t;\n"
				     " scgi_temp_path %s/t;\n"
				     " server {\n  listen 127.0.0.1:%d backlog=1024;\n"
				     "  root %s;\n  limit_rate %d;\n }\n}\n";
	const char *dir = nginx->dir;
	char text[2048];
	int length = snprintf(text, sizeof(text), format, dir, dir, dir, dir, dir, dir, dir,
			      nginx->port, dir, bytes_per_second);

	CHECK_LT(length, sizeof(text));
	nginx_file(nginx, "nginx.conf", text, (size_t)length);
}

/* A port that nobody listens on. Another may take it before nginx does. */
static int guess_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_EQ(bind(fd, (struct sockaddr *)&address, length), 0);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static pid_t launch(const struct nginx *nginx, const char *preload)
{
	char config[128], errors[128];
	pid_t pid;

	snprintf(config, sizeof(config), "%s/nginx.conf", nginx->dir);
	snprintf(errors, sizeof(errors), "%s/error.log", nginx->dir);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (preload)
			setenv("LD_PRELOAD", preload, 1);
		dup2(open(errors, O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
		execl(nginx_path(), "nginx", "-p", nginx->dir, "-e", errors, "-c", config, NULL);
		_exit(127);
	}
	CHECK_GT(pid, 0);
	return pid;
}

/* 1 when it answers, 0 when it gave up. */
static int await(const struct nginx *nginx)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)nginx->port) };
	int fd, rc;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int wait = 0; wait < 1000; wait++) {
		if (waitpid(nginx->pid, NULL, WNOHANG) != 0)
			return 0;
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		rc = connect(fd, (struct sockaddr *)&address, sizeof(address));
		close(fd);
		if (rc == 0)
			return 1;
		usleep(10000);
	}
	return 0;
}

void nginx_start(struct nginx *nginx, int bytes_per_second, const char *preload)
{
	for (int attempt = 0; attempt < 5; attempt++) {
		nginx->port = guess_port();
		configure(nginx, bytes_per_second);
		nginx->pid = launch(nginx, preload);
		if (await(nginx))
			return;
		kill(nginx->pid, SIGKILL);
	}
	CHECK(!"nginx starts");
}

void nginx_stop(struct nginx *nginx)
{
	struct dirent *entry;
	int status;
	DIR *dir;

	kill(nginx->pid, SIGTERM);
	CHECK_EQ(waitpid(nginx->pid, &status, 0), nginx->pid);
	CHECK_EQ(status, 0);
	dir = opendir(nginx->dir);
	CHECK(dir);
	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, strcmp(entry->d_name, "t") ? 0 : AT_REMOVEDIR);
	closedir(dir);
	CHECK_EQ(rmdir(nginx->dir), 0);
}
