/* SPDX-License-Identifier: MIT
 *
 * group.c - a hash table of what tasks do.
 */
#include <debug/group.h>

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint64_t key_of(const struct task_view *view, const struct backtrace *backtrace)
{
	uint64_t key = mix(weft__doing(view) + 1, (uintptr_t)task_site(&view->copy.task));

	for (unsigned i = 0; i < backtrace->depth; i++)
		key = mix(key, backtrace->pcs[i]);
	key = mix(key, backtrace->depth << 4 | backtrace->end);
	return key ? key : 1;
}

static struct group *find_group(struct groups *groups, uint64_t key)
{
	uint32_t at = (uint32_t)key % (2 * GROUPS_MAX);

	while (groups->table[at].key && groups->table[at].key != key)
		at = (at + 1) % (2 * GROUPS_MAX);
	return &groups->table[at];
}

void weft__group_add(struct groups *groups, const struct task *task, const struct task_view *view,
		     const struct backtrace *backtrace, int64_t waiting_ns)
{
	uint64_t key = key_of(view, backtrace);
	struct group *group = find_group(groups, key);

	if (!group->key) {
		if (groups->used == GROUPS_MAX) {
			groups->left_over++;
			return;
		}
		groups->order[groups->used++] = group;
		group->key = key;
		group->first = task;
		group->backtrace = *backtrace;
		group->shortest_ns = INT64_MAX;
		group->longest_ns = -1;
	}
	if (group->count < GROUP_IDS)
		group->ids[group->count] = view->copy.task.id;
	group->count++;
	if (waiting_ns >= 0 && waiting_ns < group->shortest_ns)
		group->shortest_ns = waiting_ns;
	if (waiting_ns > group->longest_ns)
		group->longest_ns = waiting_ns;
}

/* Insertion: a few groups, or some hundreds, once a dump. */
void weft__groups_sort(struct groups *groups)
{
	for (uint32_t i = 1; i < groups->used; i++) {
		struct group *group = groups->order[i];
		uint32_t at = i;

		for (; at > 0 && groups->order[at - 1]->count < group->count; at--)
			groups->order[at] = groups->order[at - 1];
		groups->order[at] = group;
	}
}
