/* SPDX-License-Identifier: MIT
 *
 * trace_json.c - a recording as JSON of the trace event format.
 *
 * One track (tid) a recorded thread. On it slices: B and E around each run of a task, around
 * "worker", which is the worker's own loop, "look", which is a look around between
 * two tasks, and inside of these "poll". The rest are instants, and arrows (s, f)
 * from a wake or spawn to the run that it caused.
 *
 * The format: "Trace Event Format" of the Chromium project; perfetto.dev/docs tells which
 * parts of it Perfetto reads.
 */
#include <errno.h>

#include <base/fault.h>
#include <core/task.h>
#include <debug/json.h>
#include <debug/trace.h>
#include <weft/types.h>

struct out {
	struct json json;
	const struct trace *trace;
	int64_t pid;
	bool comma; /* before the next event */
};

static inline void put(struct out *out, const char *text)
{
	weft__json_put(&out->json, text);
}

static inline void put_char(struct out *out, char c)
{
	weft__json_char(&out->json, c);
}

static inline void put_number(struct out *out, int64_t value)
{
	weft__json_number(&out->json, value);
}

/* --- parts of an event ----------------------------------------------------- */

static void begin_event(struct out *out, const struct trace_track *track, const char *ph)
{
	put(out, out->comma ? ",\n{\"ph\":\"" : "\n{\"ph\":\"");
	out->comma = true;
	put(out, ph);
	put(out, "\",\"pid\":");
	put_number(out, out->pid);
	put(out, ",\"tid\":");
	put_number(out, track->serial);
}

static void put_time(struct out *out, uint64_t ticks)
{
	const struct trace *trace = out->trace;

	put(out, ",\"ts\":");
	weft__json_us(&out->json, ticks > trace->begin ? (int64_t)((double)(ticks - trace->begin) *
								   trace->ns_per_tick)
						       : 0);
}

static void field_number(struct out *out, const char *name, int64_t value)
{
	put_char(out, '"');
	put(out, name);
	put(out, "\":");
	put_number(out, value);
}

/* What people call the task. */
static void put_label(struct out *out, uint64_t id)
{
	const struct trace_task *task = weft__trace_task(out->trace, id);

	if (!id) {
		put(out, "worker");
	} else if (task && task->main) {
		put(out, "main");
	} else if (task && task->name[0]) {
		weft__json_escaped(&out->json, task->name);
	} else {
		put(out, "task ");
		put_number(out, (int64_t)id);
	}
}

static void field_label(struct out *out, const char *name, uint64_t id)
{
	put_char(out, '"');
	put(out, name);
	put(out, "\":\"");
	put_label(out, id);
	put_char(out, '"');
}

static void field_task(struct out *out, uint64_t id)
{
	field_number(out, "task", (int64_t)id);
	put_char(out, ',');
	field_label(out, "name", id);
}

static void put_site(struct out *out, uint64_t id)
{
	const struct trace_task *task = weft__trace_task(out->trace, id);

	if (!task || !task->site)
		return;
	put(out, ",\"site\":\"");
	weft__json_escaped(&out->json, task->site);
	put_char(out, '"');
}

/* --- slices ---------------------------------------------------------------- */

static void begin_run(struct out *out, const struct trace_track *track, size_t i, uint64_t ticks)
{
	uint64_t id = weft__trace_runs(track, i);

	begin_event(out, track, "B");
	put_time(out, ticks);
	if (id == TRACE_NOBODY || !id) {
		put(out, id ? ",\"cat\":\"worker\",\"name\":\"look\"}"
			    : ",\"cat\":\"worker\",\"name\":\"worker\"}");
		return;
	}
	put(out, ",\"cat\":\"task\",\"name\":\"");
	put_label(out, id);
	put(out, "\",\"args\":{");
	field_number(out, "task", (int64_t)id);
	put_site(out, id);
	put(out, "}}");
}

static void put_object(struct out *out, const struct trace_record *record)
{
	switch (trace_detail(record)) {
	case WAIT_SLEEP:
		if (record->arg == INT64_MAX)
			return;
		put(out, ",\"until\":");
		weft__json_us(&out->json, (int64_t)record->arg - out->trace->begin_ns);
		return;
	case WAIT_JOIN:
		put_char(out, ',');
		field_number(out, "joined", (int64_t)record->arg);
		return;
	case WAIT_FD: /* as waiter_object() of io/fd.c packs it */
		put_char(out, ',');
		field_number(out, "fd", (int64_t)(record->arg >> 8));
		return;
	default:
		return;
	}
}

/* Why a task has left the CPU. A state without a word here is told by its number. */
static void put_reason(struct out *out, const struct trace_record *record)
{
	static const char *const words[] = {
		[TASK_READY] = "yield",     [TASK_DEAD] = "end",     [WAIT_SLEEP] = "sleep",
		[WAIT_JOIN] = "join",       [WAIT_FD] = "fd",        [WAIT_FDS] = "fds",
		[WAIT_OFFLOAD] = "offload", [WAIT_OTHER] = "wait",   [WAIT_END] = "drain",
		[WAIT_OBJECT] = "object",   [WAIT_ADDRESS] = "libc", [WAIT_RESUME] = "suspend",
	};
	unsigned state = trace_detail(record);

	put(out, ",\"args\":{\"left\":\"");
	if (state < sizeof words / sizeof *words && words[state]) {
		put(out, words[state]);
	} else {
		put(out, "state ");
		put_number(out, state);
	}
	put_char(out, '"');
	put_object(out, record);
	put_char(out, '}');
}

/* @record: by which it ends; NULL: by the end of the trace. */
static void end_slice(struct out *out, const struct trace_track *track, uint64_t ticks,
		      const struct trace_record *record)
{
	begin_event(out, track, "E");
	put_time(out, ticks);
	if (record && trace_kind(record) == TRACE_LEAVE && record->task)
		put_reason(out, record);
	if (record && trace_kind(record) == TRACE_POLLED) {
		put(out, ",\"args\":{");
		field_number(out, "events", (int64_t)record->arg);
		put_char(out, '}');
	}
	put_char(out, '}');
}

static void begin_poll(struct out *out, const struct trace_track *track, uint64_t ticks,
		       const struct trace_record *record)
{
	begin_event(out, track, "B");
	put_time(out, ticks);
	put(out, ",\"cat\":\"poll\",\"name\":\"poll\",\"args\":{");
	field_number(out, "timeout_ns", (int64_t)record->arg);
	put(out, "}}");
}

/* --- instants and arrows --------------------------------------------------- */

static void put_instant_args(struct out *out, const struct trace_record *record)
{
	if (trace_kind(record) == TRACE_STEAL) {
		field_number(out, "from_worker", (int64_t)trace_aux(record));
		put_char(out, ',');
		field_number(out, "tasks", (int64_t)record->arg);
		return;
	}
	field_task(out, record->task);
	switch (trace_kind(record)) {
	case TRACE_WAKE:
		put_char(out, ',');
		field_number(out, "result", (int32_t)trace_aux(record));
		/* fall through */
	case TRACE_SPAWN:
	case TRACE_CANCEL:
		put_char(out, ',');
		field_label(out, "by", record->arg);
		put_char(out, ',');
		field_number(out, "by_task", (int64_t)record->arg);
		break;
	case TRACE_TIMER:
		put_char(out, ',');
		field_number(out, "late_ns", (int64_t)record->arg);
		break;
	default:
		break;
	}
}

static void put_instant(struct out *out, const struct trace_track *track, uint64_t ticks,
			const struct trace_record *record)
{
	static const char *const names[TRACE_KINDS] = {
		[TRACE_SPAWN] = "spawn", [TRACE_WAKE] = "wake",   [TRACE_INBOX] = "inbox",
		[TRACE_STEAL] = "steal", [TRACE_TIMER] = "timer", [TRACE_CANCEL] = "cancel",
	};

	begin_event(out, track, "i");
	put_time(out, ticks);
	put(out, ",\"s\":\"t\",\"name\":\"");
	put(out, names[trace_kind(record)]);
	put(out, "\",\"args\":{");
	put_instant_args(out, record);
	put(out, "}}");
}

/* @ph: "s", or "f": it ends in the slice that has just begun. */
static void put_arrow(struct out *out, const struct trace_track *track, uint64_t ticks,
		      const char *ph, uint32_t flow)
{
	if (!flow)
		return;
	begin_event(out, track, ph);
	put_time(out, ticks);
	put(out, *ph == 'f' ? ",\"bp\":\"e\"" : "");
	put(out, ",\"cat\":\"wake\",\"name\":\"wake\",");
	field_number(out, "id", flow);
	put_char(out, '}');
}

/* --- tracks ---------------------------------------------------------------- */

static void put_track_name(struct out *out, const struct trace_track *track)
{
	begin_event(out, track, "M");
	put(out, ",\"name\":\"thread_name\",\"args\":{\"name\":\"worker ");
	put_number(out, track->worker);
	put(out, "\"}}");
	begin_event(out, track, "M");
	put(out, ",\"name\":\"thread_sort_index\",\"args\":{");
	field_number(out, "sort_index", track->worker);
	put(out, "}}");
}

/* What is open on a track. */
struct nest {
	bool run, poll;
};

static void end_all(struct out *out, const struct trace_track *track, struct nest *nest,
		    uint64_t ticks, const struct trace_record *record)
{
	if (nest->poll)
		end_slice(out, track, ticks, NULL);
	if (nest->run)
		end_slice(out, track, ticks, record);
	*nest = (struct nest){ false, false };
}

static void put_record(struct out *out, const struct trace_track *track, struct nest *nest,
		       size_t i, uint64_t ticks)
{
	const struct trace_record *record = &track->records[i];

	switch (trace_kind(record)) {
	case TRACE_ENTER:
	case TRACE_LEAVE:
	case TRACE_LOOKED:
		end_all(out, track, nest, ticks, record);
		begin_run(out, track, i, ticks);
		put_arrow(out, track, ticks, "f", track->flows[i]);
		nest->run = true;
		break;
	case TRACE_POLL:
		begin_poll(out, track, ticks, record);
		nest->poll = true;
		break;
	case TRACE_POLLED: /* its begin may have been overwritten */
		if (nest->poll)
			end_slice(out, track, ticks, record);
		nest->poll = false;
		break;
	case TRACE_TASK:
	case TRACE_NAME:
		break;
	default:
		put_instant(out, track, ticks, record);
		put_arrow(out, track, ticks, "s", track->flows[i]);
	}
}

/* Time does not run backwards on a track, whatever the counters of two CPUs say. */
static void put_track(struct out *out, const struct trace_track *track)
{
	struct nest nest = { false, false };
	uint64_t ticks = out->trace->begin;

	put_track_name(out, track);
	for (size_t i = 0; i < track->count; i++) {
		if (track->records[i].ticks > ticks)
			ticks = track->records[i].ticks;
		put_record(out, track, &nest, i, ticks);
	}
	if (ticks < out->trace->end)
		ticks = out->trace->end;
	end_all(out, track, &nest, ticks, NULL);
}

static uint64_t count_lost(const struct trace *trace)
{
	uint64_t lost = 0;

	for (size_t i = 0; i < trace->count; i++)
		lost += trace->tracks[i].lost;
	return lost;
}

static void put_all(struct out *out)
{
	const struct trace *trace = out->trace;

	put(out, "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"weft\":\"" WEFT_VERSION
		 "\",\"clock\":\"");
	put(out, weft__trace_counts_ticks() ? "CPU counter" : "CLOCK_MONOTONIC");
	put(out, "\",");
	field_number(out, "begin_ns", trace->begin_ns);
	put_char(out, ',');
	field_number(out, "overwritten", (int64_t)count_lost(trace));
	put_char(out, ',');
	field_number(out, "threads_missed", trace->missed);
	put(out, "},\"traceEvents\":[");
	for (size_t i = 0; i < trace->count; i++)
		put_track(out, &trace->tracks[i]);
	put(out, "\n]}\n");
	weft__json_flush(&out->json);
}

/* Not on the stack: it may be a task's that calls exit(3). */
int weft__trace_write(const struct trace *trace, int fd)
{
	struct out *out = weft__calloc(1, sizeof *out);
	int rc;

	if (!out)
		return -ENOMEM;
	out->json.fd = fd;
	out->trace = trace;
	out->pid = weft__syscall(SYS_getpid, 0);
	put_all(out);
	rc = out->json.error;
	free(out);
	return rc;
}
