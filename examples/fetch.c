/* SPDX-License-Identifier: MIT
 *
 * fetch.c - many downloads at once with libcurl's simplest, blocking calls: a
 * task each, all on one thread. libcurl is the distribution's, and knows nothing
 * of weft: its connect, send, recv and poll are hooked.
 *
 *	fetch url [count]		200 times by default
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <weft/weft.h>

static const char *url;
static long count = 200, done, failed;
static double bytes;
static curl_off_t each;  /* bytes of a download; <= 0: the server does not say */
static int64_t alone_ns; /* what all of them would take, one after the other */

static size_t swallow(char *data, size_t size, size_t items, void *arg)
{
	(void)data;
	if (!each)
		curl_easy_getinfo(arg, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &each);
	bytes += (double)(size * items);
	return size * items;
}

static int fetch(void *arg)
{
	int64_t begun = weft_now();
	CURL *curl = curl_easy_init();
	CURLcode rc = CURLE_FAILED_INIT;

	(void)arg;
	if (curl) {
		curl_easy_setopt(curl, CURLOPT_URL, url);
		curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
		curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, swallow);
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, curl);
		rc = curl_easy_perform(curl); /* returns when it is done */
		curl_easy_cleanup(curl);
	}
	if (rc != CURLE_OK && !failed++)
		fprintf(stderr, "\n%s: %s\n", url, curl_easy_strerror(rc));
	alone_ns += weft_now() - begun;
	done++;
	return 0;
}

/* One line that stays in its place; without a terminal, a line each time. */
static void show(double seconds)
{
	static const char bar[] = "##################################################";
	double share =
		each > 0 ? bytes / ((double)each * (double)count) : (double)done / (double)count;
	int tty = isatty(STDOUT_FILENO);

	printf("%s[%-50.*s] %4ld of %ld  %7.1f MB  %5.2f s%s", tty ? "\r" : "", (int)(share * 50),
	       bar, done, count, bytes / 1e6, seconds, tty ? "\033[K" : "\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int64_t begun = weft_now();
	struct rlimit files;

	if (argc < 2 || (argc > 2 && (count = atol(argv[2])) < 1)) {
		fprintf(stderr, "usage: fetch url [count]\n");
		return 2;
	}
	url = argv[1];
	getrlimit(RLIMIT_NOFILE, &files); /* libcurl opens three a download */
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	for (long i = 0; i < count; i++) {
		if (weft_go(fetch, NULL) < 0)
			done++, failed++;
	}
	while (done < count) {
		weft_sleep(200000000);
		show((double)(weft_now() - begun) / 1e9);
	}
	printf("\n%ld downloads, %ld failed, %.1f MB in %.2f s; one after the other: %.1f s\n",
	       done, failed, bytes / 1e6, (double)(weft_now() - begun) / 1e9,
	       (double)alone_ns / 1e9);
	curl_global_cleanup();
	return failed != 0;
}
