/* SPDX-License-Identifier: MIT
 *
 * fetch.c - the distribution's libcurl, its blocking calls hooked: two hundred
 * downloads at once from a real nginx, on one thread, every byte checked. And
 * what the hooks must not change: programs that have no tasks.
 */
#include <curl/curl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/weft.h>

#include "nginx.h"
#include "test.h"

enum { FILES = 8, LONG = 4, DOWNLOADS = 200, RATE = 32768 };

/* The first take a second or two at RATE; the short ones are there for their ends. */
static const size_t sizes[FILES] = { 65536, 65537, 70000, 81921, 0, 1, 4095, 16384 };
static unsigned char *content[FILES];
static struct nginx nginx;

static uint64_t next_random(uint64_t *state)
{
	/* Marsaglia's xorshift64. */
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void serve_files(const char *preload)
{
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)getpid() << 20;
	char name[16];

	if (!nginx_path())
		SKIP("no nginx");
	nginx_prepare(&nginx);
	for (int file = 0; file < FILES; file++) {
		content[file] = malloc(sizes[file] + 1);
		for (size_t i = 0; i < sizes[file]; i++)
			content[file][i] = (unsigned char)(next_random(&state) >> 32);
		snprintf(name, sizeof(name), "%d", file);
		nginx_file(&nginx, name, content[file], sizes[file]);
	}
	nginx_start(&nginx, RATE, preload);
}

/* --- downloads that look at what they get ----------------------------------------- */

struct download {
	int file;
	size_t got;
	long wrong, status;
};

static size_t compare(char *data, size_t size, size_t items, void *arg)
{
	struct download *download = arg;
	size_t count = size * items;

	if (download->got + count > sizes[download->file])
		return 0;
	download->wrong += memcmp(data, content[download->file] + download->got, count) != 0;
	download->got += count;
	return count;
}

static CURLcode perform(struct download *download)
{
	CURL *curl = curl_easy_init();
	char url[64];
	CURLcode rc;

	CHECK(curl);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/%d", nginx.port, download->file);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, compare);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, download);
	rc = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &download->status);
	curl_easy_cleanup(curl);
	return rc;
}

static void check_download(struct download *download)
{
	CHECK_EQ(perform(download), CURLE_OK);
	CHECK_EQ(download->status, 200);
	CHECK_EQ(download->got, sizes[download->file]);
	CHECK_EQ(download->wrong, 0);
}

static int running_long, most_long, finished;

static int download_task(void *arg)
{
	struct download download = { .file = (int)(intptr_t)arg % FILES };

	CHECK_EQ(weft_hook_enabled(), 1);
	running_long += download.file < LONG;
	if (running_long > most_long)
		most_long = running_long;
	check_download(&download);
	running_long -= download.file < LONG;
	finished++;
	return 0;
}

/* The long ones are all under way before the first ends: a blocked thread would show one. */
TEST_LIMIT(fetch, two_hundred_at_once_every_byte_right, 60)
{
	weft_task *tasks[DOWNLOADS];

	serve_files(NULL);
	CHECK_EQ(curl_global_init(CURL_GLOBAL_DEFAULT), 0);
	for (intptr_t i = 0; i < DOWNLOADS; i++)
		CHECK_EQ(weft_spawn(&tasks[i], NULL, download_task, (void *)i), 0);
	for (int i = 0; i < DOWNLOADS; i++)
		CHECK_EQ(weft_join(tasks[i], weft_in_s(50), NULL), 0);
	CHECK_EQ(finished, DOWNLOADS);
	CHECK_EQ(most_long, DOWNLOADS * LONG / FILES);
	nginx_stop(&nginx);
}

/* --- where there are no tasks ------------------------------------------------------ */

TEST(fetch, outside_of_a_task_libcurl_is_its_own)
{
	struct download download = { .file = 7 };

	serve_files(NULL);
	CHECK_EQ(curl_global_init(CURL_GLOBAL_DEFAULT), 0);
	check_download(&download);
	CHECK(!weft_self());
	CHECK_EQ(weft_hook_enabled(), 0);
	nginx_stop(&nginx);
}

/* An unmodified curl(1) and an unmodified nginx, both with the hooks preloaded. */
TEST(fetch, preloaded_curl_and_nginx_do_as_ever)
{
	char url[64], got[FILENAME_MAX], buffer[131072];
	ssize_t count;
	int status, fd;
	pid_t pid;

	if (access("/usr/bin/curl", X_OK))
		SKIP("no curl");
	serve_files(HOOK_LIBRARY);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/7", nginx.port);
	snprintf(got, sizeof(got), "%s/got", nginx.dir);
	pid = fork();
	if (pid == 0) {
		setenv("LD_PRELOAD", HOOK_LIBRARY, 1);
		execl("/usr/bin/curl", "curl", "-sS", "-o", got, url, NULL);
		_exit(127);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	fd = open(got, O_RDONLY | O_CLOEXEC);
	count = read(fd, buffer, sizeof(buffer));
	CHECK_EQ(count, sizes[7]);
	CHECK_EQ(memcmp(buffer, content[7], sizes[7]), 0);
	close(fd);
	nginx_stop(&nginx);
}

/* --- the example, as it is ------------------------------------------------------------ */

TEST_LIMIT(fetch, the_example_fetches_200, 60)
{
	char url[64], text[65536] = "";
	long downloads = 0, failed = -1;
	int ends[2], status;
	size_t length = 0;
	ssize_t count;
	char *last;
	pid_t pid;

	serve_files(NULL);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/0", nginx.port);
	CHECK_EQ(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl(FETCH_PROGRAM, "fetch", url, "200", NULL);
		_exit(127);
	}
	close(ends[1]);
	while ((count = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)count;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	last = strstr(text, "\n\n");
	CHECK(last && sscanf(last, "%ld downloads, %ld failed", &downloads, &failed) == 2);
	CHECK_EQ(downloads, 200);
	CHECK_EQ(failed, 0);
	test_note(last + 2);
	nginx_stop(&nginx);
}
