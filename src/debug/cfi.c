/* SPDX-License-Identifier: MIT
 *
 * cfi.c - finds the frame description of an address, and runs its program up to there.
 */
#include <debug/bytes.h>
#include <debug/cfi.h>
#include <debug/symbols.h>

enum { HDR_SEARCH_TABLE = 0x3b, HDR_MAX_BYTES = 64 << 20, ENTRY_MAX_BYTES = 1 << 20 };

/* A CIE: what several descriptions have in common. */
struct common {
	uint64_t code_align;
	int64_t data_align;
	uint8_t pointer_encoding;
	bool augmented, signal;
	uintptr_t program, end;
};

struct description {
	struct common common;
	uintptr_t begin, bytes; /* the code that it describes */
	uintptr_t program, end;
};

/* --- finding ------------------------------------------------------------------- */

static int64_t table_word(uintptr_t table, uint32_t index, unsigned column, bool *bad)
{
	struct bytes bytes;
	uintptr_t at = table + 8 * (uintptr_t)index + 4 * column;
	int64_t value;

	bytes_init(&bytes, at, at + 4);
	value = weft__bytes_int(&bytes, 4);
	*bad |= bytes.bad;
	return value;
}

/* The last entry of the sorted table that does not begin behind @pc. 0: there is none. */
static uintptr_t search_table(uintptr_t hdr, uintptr_t table, uint32_t count, uintptr_t pc)
{
	uint32_t low = 0, high = count;
	bool bad = false;

	while (high - low > 1 && !bad) {
		uint32_t middle = low + (high - low) / 2;

		if (hdr + (uintptr_t)table_word(table, middle, 0, &bad) <= pc)
			low = middle;
		else
			high = middle;
	}
	if (!count || hdr + (uintptr_t)table_word(table, low, 0, &bad) > pc)
		return 0;
	hdr += (uintptr_t)table_word(table, low, 1, &bad);
	return bad ? 0 : hdr;
}

static uintptr_t find_description(uintptr_t hdr, uintptr_t pc)
{
	struct bytes bytes;
	uint8_t version, frame_encoding, count_encoding, table_encoding;
	uint32_t count;

	bytes_init(&bytes, hdr, hdr + HDR_MAX_BYTES);
	version = weft__bytes_u8(&bytes);
	frame_encoding = weft__bytes_u8(&bytes);
	count_encoding = weft__bytes_u8(&bytes);
	table_encoding = weft__bytes_u8(&bytes);
	weft__bytes_pointer(&bytes, frame_encoding, hdr);
	count = (uint32_t)weft__bytes_pointer(&bytes, count_encoding, hdr);
	if (bytes.bad || version != 1 || table_encoding != HDR_SEARCH_TABLE)
		return 0;
	return search_table(hdr, bytes.at, count, pc);
}

/* --- reading --------------------------------------------------------------------- */

/* The length that each entry begins with. @bytes ends where the entry does. */
static bool open_entry(struct bytes *bytes, uintptr_t at)
{
	uint64_t length;

	bytes_init(bytes, at, at + 12);
	length = weft__bytes_uint(bytes, 4);
	if (length == 0xffffffff)
		length = weft__bytes_uint(bytes, 8);
	if (bytes->bad || !length || length > ENTRY_MAX_BYTES)
		return false;
	bytes_init(bytes, bytes->at, bytes->at + length);
	return true;
}

/* What the letters behind 'z' announce. */
static void read_augmentation(struct bytes *bytes, const char *letters, struct common *ret)
{
	for (; *letters; letters++) {
		if (*letters == 'R')
			ret->pointer_encoding = weft__bytes_u8(bytes);
		else if (*letters == 'L')
			weft__bytes_u8(bytes);
		else if (*letters == 'P')
			weft__bytes_pointer(bytes, weft__bytes_u8(bytes) & 0x7f, 0);
		else if (*letters == 'S')
			ret->signal = true;
		else if (*letters != 'B' && *letters != 'G')
			return; /* unknown: the length tells where it ends */
	}
}

static bool read_letters(struct bytes *bytes, char letters[8])
{
	unsigned n = 0;

	while ((letters[n] = (char)weft__bytes_u8(bytes)))
		if (++n == 8)
			return false;
	return !n || letters[0] == 'z';
}

static bool read_common(uintptr_t at, struct common *ret)
{
	struct bytes bytes;
	char letters[8];
	uint64_t column, length;
	uint8_t version;

	*ret = (struct common){ 0 };
	if (!open_entry(&bytes, at) || weft__bytes_uint(&bytes, 4) != 0)
		return false;
	version = weft__bytes_u8(&bytes);
	if ((version != 1 && version != 3) || !read_letters(&bytes, letters))
		return false;
	ret->code_align = weft__bytes_uleb(&bytes);
	ret->data_align = weft__bytes_sleb(&bytes);
	column = version == 1 ? weft__bytes_u8(&bytes) : weft__bytes_uleb(&bytes);
	if (letters[0] == 'z') {
		ret->augmented = true;
		length = weft__bytes_uleb(&bytes);
		ret->program = bytes.at + length;
		read_augmentation(&bytes, letters + 1, ret);
	} else {
		ret->program = bytes.at;
	}
	ret->end = bytes.end;
	return !bytes.bad && column == CFI_RETURN_COLUMN && ret->program <= ret->end;
}

static bool read_description(uintptr_t at, struct description *ret)
{
	struct bytes bytes;
	uintptr_t back;
	uint64_t length;

	if (!open_entry(&bytes, at))
		return false;
	back = bytes.at;
	back -= weft__bytes_uint(&bytes, 4);
	if (bytes.bad || !read_common(back, &ret->common))
		return false;
	ret->begin = weft__bytes_pointer(&bytes, ret->common.pointer_encoding, 0);
	ret->bytes = weft__bytes_pointer(&bytes, ret->common.pointer_encoding & 0x0f, 0);
	if (ret->common.augmented) {
		length = weft__bytes_uleb(&bytes);
		weft__bytes_skip(&bytes, length);
	}
	ret->program = bytes.at;
	ret->end = bytes.end;
	return !bytes.bad;
}

/* Without a table to search: one after the other, from @at to @end. */
static uintptr_t scan_descriptions(uintptr_t at, uintptr_t end, uintptr_t pc)
{
	struct common common = { 0 };
	uintptr_t common_at = 0, begin, place;
	struct bytes bytes;
	uint64_t length, back;
	bool readable = false;

	for (; at < end; at = place + length) {
		bytes_init(&bytes, at, end);
		length = weft__bytes_uint(&bytes, 4);
		place = bytes.at;
		if (bytes.bad || !length || length > ENTRY_MAX_BYTES)
			return 0;
		back = weft__bytes_uint(&bytes, 4);
		if (!back)
			continue; /* a CIE */
		if (place - back != common_at) {
			common_at = place - back;
			readable = read_common(common_at, &common);
		}
		if (!readable)
			continue;
		begin = weft__bytes_pointer(&bytes, common.pointer_encoding, 0);
		if (pc - begin < weft__bytes_pointer(&bytes, common.pointer_encoding & 0x0f, 0))
			return at;
	}
	return 0;
}

static uintptr_t description_of(struct module *module, uintptr_t pc)
{
	if (module->frame_hdr)
		return find_description(module->frame_hdr, pc);
	if (!module->frames_asked)
		weft__module_find_frames(module);
	return scan_descriptions(module->frames, module->frames_end, pc);
}

/* --- running --------------------------------------------------------------------- */

struct machine {
	struct cfi_rules *rules;
	struct cfi_scratch *scratch;
	const struct common *common;
	struct bytes bytes;
	uintptr_t loc, pc;
	unsigned remembered;
};

static void set_rule(struct machine *m, uint64_t reg, enum cfi_kind kind, int64_t value)
{
	if (reg >= UNWIND_REGS)
		return; /* a vector register: nobody's way back */
	m->rules->kind[reg] = (uint8_t)kind;
	m->rules->value[reg] = value;
}

static void restore_rule(struct machine *m, uint64_t reg)
{
	if (reg < UNWIND_REGS)
		set_rule(m, reg, m->scratch->initial.kind[reg], m->scratch->initial.value[reg]);
}

static void set_cfa(struct machine *m, uint64_t reg, int64_t offset)
{
	m->rules->cfa_is_expression = false;
	m->rules->cfa_register = (uint8_t)reg;
	m->rules->cfa_offset = offset;
	if (reg >= UNWIND_REGS)
		m->bytes.bad = true;
}

/* A block stays where it is; it is read when a frame asks for it. */
static int64_t take_block(struct machine *m)
{
	uintptr_t at = m->bytes.at;
	uint64_t length = weft__bytes_uleb(&m->bytes);

	weft__bytes_skip(&m->bytes, length);
	return (int64_t)at;
}

static void remember(struct machine *m)
{
	if (m->remembered == CFI_REMEMBER)
		m->bytes.bad = true;
	else
		m->scratch->remembered[m->remembered++] = *m->rules;
}

static void recall(struct machine *m)
{
	if (!m->remembered)
		m->bytes.bad = true;
	else
		*m->rules = m->scratch->remembered[--m->remembered];
}

static void advance(struct machine *m, uint64_t units)
{
	m->loc += units * m->common->code_align;
}

static int64_t take_factored(struct machine *m, bool is_signed)
{
	int64_t n = is_signed ? weft__bytes_sleb(&m->bytes) : (int64_t)weft__bytes_uleb(&m->bytes);

	return n * m->common->data_align;
}

/* The operations with a code of their own; DWARF 4, figure 40. */
static void run_cfa(struct machine *m, uint8_t op)
{
	struct bytes *b = &m->bytes;
	uint64_t reg;

	switch (op) {
	case 0x0c: /* def_cfa */
		reg = weft__bytes_uleb(b);
		set_cfa(m, reg, (int64_t)weft__bytes_uleb(b));
		break;
	case 0x12: /* def_cfa_sf */
		reg = weft__bytes_uleb(b);
		set_cfa(m, reg, take_factored(m, true));
		break;
	case 0x0d: /* def_cfa_register */
		set_cfa(m, weft__bytes_uleb(b), m->rules->cfa_offset);
		break;
	case 0x0e: /* def_cfa_offset */
		m->rules->cfa_offset = (int64_t)weft__bytes_uleb(b);
		break;
	case 0x13: /* def_cfa_offset_sf */
		m->rules->cfa_offset = take_factored(m, true);
		break;
	case 0x0f: /* def_cfa_expression */
		m->rules->cfa_is_expression = true;
		m->rules->cfa_offset = take_block(m);
		break;
	default:
		b->bad = true;
	}
}

static void run_register(struct machine *m, uint8_t op)
{
	uint64_t reg = weft__bytes_uleb(&m->bytes);

	switch (op) {
	case 0x05: /* offset_extended */
	case 0x11: /* offset_extended_sf */
		set_rule(m, reg, CFI_OFFSET, take_factored(m, op == 0x11));
		break;
	case 0x2f: /* GNU_negative_offset_extended */
		set_rule(m, reg, CFI_OFFSET, -take_factored(m, false));
		break;
	case 0x14: /* val_offset */
	case 0x15: /* val_offset_sf */
		set_rule(m, reg, CFI_VAL_OFFSET, take_factored(m, op == 0x15));
		break;
	case 0x06: /* restore_extended */
		restore_rule(m, reg);
		break;
	case 0x07:
		set_rule(m, reg, CFI_UNDEFINED, 0);
		break;
	case 0x08:
		set_rule(m, reg, CFI_SAME, 0);
		break;
	case 0x09:
		set_rule(m, reg, CFI_REGISTER, (int64_t)weft__bytes_uleb(&m->bytes));
		break;
	case 0x10:
		set_rule(m, reg, CFI_EXPRESSION, take_block(m));
		break;
	case 0x16:
		set_rule(m, reg, CFI_VAL_EXPRESSION, take_block(m));
		break;
	default:
		m->bytes.bad = true;
	}
}

static void run_one(struct machine *m, uint8_t op)
{
	uint8_t low = op & 0x3f;

	switch (op >> 6) {
	case 1:
		advance(m, low);
		return;
	case 2:
		set_rule(m, low, CFI_OFFSET, take_factored(m, false));
		return;
	case 3:
		restore_rule(m, low);
		return;
	}
	switch (op) {
	case 0x00: /* nop */
	case 0x2d: /* AARCH64_negate_ra_state: return addresses are stripped anyway */
		return;
	case 0x01: /* set_loc */
		m->loc = weft__bytes_pointer(&m->bytes, m->common->pointer_encoding, 0);
		return;
	case 0x02:
	case 0x03:
	case 0x04: /* advance_loc1, 2, 4 */
		advance(m, weft__bytes_uint(&m->bytes, 1u << (op - 2)));
		return;
	case 0x0a:
		remember(m);
		return;
	case 0x0b:
		recall(m);
		return;
	case 0x2e: /* GNU_args_size */
		weft__bytes_uleb(&m->bytes);
		return;
	}
	if ((op >= 0x0c && op <= 0x0f) || op == 0x12 || op == 0x13)
		run_cfa(m, op);
	else
		run_register(m, op);
}

/* Up to the last row that does not begin behind pc. */
static bool run(struct machine *m, uintptr_t program, uintptr_t end)
{
	bytes_init(&m->bytes, program, end);
	while (bytes_left(&m->bytes) && m->loc <= m->pc)
		run_one(m, weft__bytes_u8(&m->bytes));
	return !m->bytes.bad;
}

void weft__cfi_find(struct module *module, struct cfi_scratch *scratch, struct cfi_row *row)
{
	struct description description;
	struct machine m = { .rules = &row->rules, .scratch = scratch, .pc = row->pc };
	uintptr_t at = description_of(module, row->pc);

	row->known = false;
	row->rules = (struct cfi_rules){ 0 };
	if (!at || !read_description(at, &description) ||
	    row->pc - description.begin >= description.bytes)
		return;
	row->signal = description.common.signal;
	m.common = &description.common;
	m.loc = description.begin;
	if (!run(&m, description.common.program, description.common.end))
		return;
	scratch->initial = row->rules;
	m.loc = description.begin;
	row->known = run(&m, description.program, description.end);
}
