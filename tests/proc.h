/* SPDX-License-Identifier: MIT
 *
 * proc.h - what the kernel says about this process.
 */
#ifndef WEFT_TESTS_PROC_H
#define WEFT_TESTS_PROC_H

#include <stdio.h>
#include <string.h>

/** Resident memory in KiB. To ask makes pages of libc resident: discard the first answer. */
static inline long proc_rss_kb(void)
{
	char line[256];
	long kb = -1;
	FILE *file = fopen("/proc/self/smaps_rollup", "r");

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "Rss:", 4))
			sscanf(line + 4, "%ld", &kb);
	if (file)
		fclose(file);
	return kb;
}

/** Mappings. */
static inline long proc_maps(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	long lines = 0;
	int c;

	while (file && (c = fgetc(file)) != EOF)
		lines += c == '\n';
	if (file)
		fclose(file);
	return lines;
}

#endif
