/* SPDX-License-Identifier: MIT
 *
 * crawler.c - follows links as far as time allows, and not faster than is polite.
 *
 * A child of one scope fetches a page, and makes further children for what that links to. A tick
 * of a timer lets one begin; the scope's deadline ends them all: then no fetch is under way, and
 * no descriptor is open. The web is a server on the loopback, in a scope of its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/weft.h>

enum { PAGES = 200, PACE_US = 500, LINKS = 3 };

static struct sockaddr_in address = { .sin_family = AF_INET };
static weft_scope *server, *crawl;
static weft_chan *ticks;
static int seen[PAGES], fetched;

static int answer(void *arg)
{
	int fd = (int)(intptr_t)arg, page;

	if (weft_read_full(fd, &page, sizeof(page), WEFT_FOREVER) == sizeof(page)) {
		int links[LINKS] = { (2 * page + 1) % PAGES, (2 * page + 2) % PAGES, page / 3 };

		weft_sleep(2000000); /* it is far away */
		weft_send(fd, links, sizeof(links), MSG_NOSIGNAL, WEFT_FOREVER);
	}
	return weft_close(fd);
}

static int serve(void *listener)
{
	int fd;

	while ((fd = weft_accept((int)(intptr_t)listener, NULL, NULL, 0, WEFT_FOREVER)) >= 0)
		if (weft_scope_go(server, answer, (void *)(intptr_t)fd) < 0)
			weft_close(fd);
	return fd;
}

static int fetch(int page, int links[LINKS])
{
	ssize_t rc, size = LINKS * sizeof(links[0]);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	rc = weft_connect(fd, (struct sockaddr *)&address, sizeof(address), WEFT_FOREVER);
	if (rc == 0 && (rc = weft_write_full(fd, &page, sizeof(page), WEFT_FOREVER)) > 0)
		rc = weft_read_full(fd, links, (size_t)size, WEFT_FOREVER);
	weft_close(fd);
	return rc == size ? 0 : rc < 0 ? (int)rc : -EPIPE;
}

static int visit(void *page)
{
	int links[LINKS], rc = weft_chan_recv(ticks, NULL, WEFT_FOREVER);

	if (rc == 0)
		rc = fetch((int)(intptr_t)page, links);
	fetched += rc == 0;
	for (int i = 0; rc == 0 && i < LINKS; i++)
		if (!seen[links[i]]++)
			rc = weft_scope_go(crawl, visit, (void *)(intptr_t)links[i]);
	return rc;
}

static int crawl_until(int64_t deadline_ns)
{
	int rc = weft_scope_open(&crawl, 0);

	memset(seen, 0, sizeof(seen));
	seen[fetched = 0] = 1;
	if (rc == 0 && (rc = weft_scope_deadline(crawl, deadline_ns)) == 0 &&
	    (rc = weft_scope_go(crawl, visit, NULL)) == 0)
		rc = weft_scope_wait(crawl, WEFT_FOREVER);
	weft_scope_close(crawl);
	printf("%d of %d pages: %s\n", fetched, PAGES, rc ? strerror(-rc) : "that is all");
	return rc;
}

int main(void)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), failed;
	socklen_t size = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 128) ||
	    getsockname(listener, (struct sockaddr *)&address, &size) ||
	    weft_timer_new(&ticks, weft_now(), PACE_US * 1000) || weft_scope_open(&server, 0) ||
	    weft_scope_go(server, serve, (void *)(intptr_t)listener))
		return 1;
	failed = crawl_until(WEFT_FOREVER) || crawl_until(weft_in_ms(50)) != -ETIMEDOUT;
	weft_scope_close(server);
	weft_chan_free(ticks);
	return failed;
}
