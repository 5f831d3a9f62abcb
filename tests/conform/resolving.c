/* SPDX-License-Identifier: MIT
 *
 * resolving.c - the name service, without a network: numbers and /etc/hosts.
 */
#include <netdb.h>

#include "conform.h"

static void note_list(const struct addrinfo *list)
{
	char host[NI_MAXHOST], service[NI_MAXSERV];

	for (; list; list = list->ai_next) {
		CHECK_EQ(getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof(host), service,
				     sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV),
			 0);
		note("  %s %s %d %d %s", host, service, list->ai_socktype, list->ai_protocol,
		     list->ai_canonname ? list->ai_canonname : "-");
	}
}

static void resolve(const char *host, const char *service, const struct addrinfo *hints)
{
	struct addrinfo *list = NULL;
	int rc;

	errno = 0;
	rc = getaddrinfo(host, service, hints, &list);
	note("%s %s: %s", host ? host : "-", service ? service : "-",
	     rc ? gai_strerror(rc) : "found");
	if (rc == 0) {
		note_list(list);
		freeaddrinfo(list);
	}
}

CONFORM(getaddrinfo, answers)
{
	struct addrinfo tcp = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct addrinfo named = { .ai_family = AF_INET, .ai_flags = AI_CANONNAME };
	struct addrinfo passive = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_DGRAM };

	resolve("127.0.0.1", "80", &tcp);
	resolve("::1", "443", NULL);
	resolve("localhost", "7", &tcp);
	resolve("localhost", NULL, &named);
	resolve(NULL, "9", &passive);
}

CONFORM(getaddrinfo, errors)
{
	struct addrinfo numeric = { .ai_flags = AI_NUMERICHOST };
	struct addrinfo odd_family = { .ai_family = 12345 };
	struct addrinfo odd_flags = { .ai_flags = 0x7fff0000 };
	struct addrinfo six = { .ai_family = AF_INET6, .ai_flags = AI_NUMERICHOST };
	struct addrinfo odd_type = { .ai_socktype = 77 };

	resolve(NULL, NULL, NULL);
	resolve("localhost", NULL, &numeric);
	resolve("127.0.0.1", "no-such-service-here", NULL);
	resolve("127.0.0.1", NULL, &odd_family);
	resolve("127.0.0.1", NULL, &odd_flags);
	resolve("127.0.0.1", NULL, &six);
	resolve("127.0.0.1", NULL, &odd_type);
}

static void note_host(const struct hostent *host)
{
	char text[INET6_ADDRSTRLEN];

	note("  name %s type %d length %d", host->h_name, host->h_addrtype, host->h_length);
	for (char **alias = host->h_aliases; *alias; alias++)
		note("  alias %s", *alias);
	for (char **addr = host->h_addr_list; *addr; addr++)
		note("  %s", inet_ntop(host->h_addrtype, *addr, text, sizeof(text)));
}

static void note_static(const char *what, const struct hostent *host)
{
	note("%s: %d", what, host ? 0 : h_errno);
	if (host)
		note_host(host);
}

CONFORM(gethostbyname, static_results)
{
	struct in_addr loopback = { htonl(INADDR_LOOPBACK) };

	note_static("number", gethostbyname("127.0.0.1"));
	note_static("name", gethostbyname("localhost"));
	note_static("name, 4", gethostbyname2("localhost", AF_INET));
	note_static("number, 6", gethostbyname2("::1", AF_INET6));
	note_static("address", gethostbyaddr(&loopback, sizeof(loopback), AF_INET));
	note_static("bad address", gethostbyaddr(&loopback, 3, AF_INET));
	note_static("bad family", gethostbyname2("localhost", 12345));
}

CONFORM(gethostbyname, results_in_a_buffer)
{
	struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	struct hostent host, *found;
	char buf[2048], tiny[8];
	int herr = 0;

	LOG_ERROR(gethostbyname_r("localhost", &host, buf, sizeof(buf), &found, &herr));
	note("%d %d", found == &host, found ? 0 : herr);
	note_host(found);
	LOG_ERROR(gethostbyname2_r("127.0.0.1", AF_INET, &host, buf, sizeof(buf), &found, &herr));
	note_host(found);
	LOG_ERROR(gethostbyaddr_r(&loopback, sizeof(loopback), AF_INET, &host, buf, sizeof(buf),
				  &found, &herr));
	note_host(found);
	LOG_ERROR(gethostbyname_r("localhost", &host, tiny, sizeof(tiny), &found, &herr));
	note("%d %d", found == NULL, herr);
}

CONFORM(getnameinfo, answers_and_errors)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(22) };
	char host[NI_MAXHOST], service[NI_MAXSERV];
	struct sockaddr *any = (struct sockaddr *)&addr;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	note("%d", getnameinfo(any, sizeof(addr), host, sizeof(host), service, sizeof(service), 0));
	note("%s %s", host, service);
	note("%d", getnameinfo(any, sizeof(addr), host, sizeof(host), NULL, 0, NI_NUMERICHOST));
	note("%s", host);
	note("%d", getnameinfo(any, sizeof(addr), host, 2, NULL, 0, NI_NUMERICHOST));
	note("%d", getnameinfo(any, sizeof(addr), NULL, 0, service, 1, NI_NUMERICSERV));
	note("%d", getnameinfo(any, sizeof(addr), NULL, 0, NULL, 0, 0));
	note("%d", getnameinfo(any, 3, host, sizeof(host), NULL, 0, 0));
	addr.sin_family = 12345;
	note("%d", getnameinfo(any, sizeof(addr), host, sizeof(host), NULL, 0, 0));
}

static _Atomic int ticks;
static _Atomic bool done;

static void tick(int unused)
{
	(void)unused;
	while (!done) {
		ticks++;
		pause_ms(1);
	}
}

/* Others run while a name is looked up. */
CONFORM(getaddrinfo, does_not_stop_the_others)
{
	struct addrinfo *list;
	int i;

	done = false;
	ticks = 0;
	peer(tick, 0);
	for (i = 0; i < 5000 && ticks < 3; i++)
		if (getaddrinfo("localhost", "7", NULL, &list) == 0)
			freeaddrinfo(list);
	note("others ran: %d", ticks >= 3);
	done = true;
	peers_end();
}
