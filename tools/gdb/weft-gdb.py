# SPDX-License-Identifier: MIT
#
# weft-gdb.py - weft's tasks in gdb: "weft tasks", "weft bt", "weft task".
#
# Loaded by itself with an installed libweft.so; by "source" otherwise. docs/gdb.md
# is the manual. Works alike on a live process and on a core file: it only reads.
#
# How a parked task is walked: gdb unwinds threads, and a parked task is none; nor
# can the registers of a core file be set. So while a task is selected, an unwinder
# of ours claims the innermost frame of the selected thread and says that whoever
# called it has the task's saved registers. Frame 1 and up are the task then, and all
# of gdb's frame commands do what they always do.
#
# G1 Where a thing lies is asked of libweft's debug info, each time; a number that
#    stands here has its counterpart named beside it.
# G2 What is read may be half written (a thread was stopped in the middle of a spawn),
#    so whatever cannot be read is left out, and nothing is trusted to end.
# G3 A selection does not outlive a resume: its registers are those of a parked task.

import os
import struct
import time

import gdb
from gdb.FrameDecorator import FrameDecorator
from gdb.unwinder import Unwinder

MASK = (1 << 64) - 1

# --- libweft's debug info -----------------------------------------------------

NO_PROCESS = "There is no process and no core file: start the program first."


class Weft:
    """Symbols and types of the libweft in this program; made anew by each command."""

    def __init__(self):
        anchor = gdb.lookup_global_symbol("weft__worker_loop")
        if anchor is None:
            raise gdb.GdbError(self.why_not())
        self.block = anchor.symtab.static_block()
        self.inferior = gdb.selected_inferior()
        if not self.inferior.threads():
            raise gdb.GdbError(NO_PROCESS)
        self.task = self.type("task")
        self.private = self.type("private_task")
        self.coroutine = self.type("coroutine")
        self.states = self.type("task_state")
        self.chunk_list = None
        self.constants, self.sites = {}, {}
        self.find_threads()

    @staticmethod
    def why_not():
        try:
            gdb.parse_and_eval("(void *)&weft_spawn_at")
        except gdb.error:
            return "There is no libweft in this program (or it is not loaded yet)."
        if not gdb.selected_inferior().threads():
            return NO_PROCESS  # and so no shared library yet
        return (
            "This libweft has no debug info, so its tasks cannot be found: "
            "install it unstripped (it is built with -g by default)."
        )

    def type(self, tag, function="weft__worker_loop"):
        """A struct or an enum. gdb.lookup_type() is of no use here: of structs it takes
        the first of that name in the program, be it the user's. @function: one of
        the file that knows the type."""
        block = gdb.lookup_global_symbol(function).symtab.static_block()
        symbol = gdb.lookup_symbol(tag, block, gdb.SYMBOL_STRUCT_DOMAIN)[0]
        if symbol is None:
            raise gdb.GdbError("libweft's debug info has no %s; is this script another "
                               "release's?" % tag)
        return symbol.type

    def static(self, file, name):
        """A static variable of one of libweft's files, or a gdb.GdbError."""
        for symbol in gdb.lookup_static_symbols(name):
            if symbol.symtab.filename.endswith("/" + file):
                return symbol
        raise gdb.GdbError("%s: libweft has no %s there; is this script another release's?"
                           % (file, name))

    def constant(self, file, name):
        """An enumerator, as that file sees it."""
        if (file, name) not in self.constants:
            self.constants[file, name] = self.find_constant(file, name)
        return self.constants[file, name]

    def find_constant(self, file, name):
        for symbol in gdb.lookup_static_symbols(name):
            if symbol.symtab.filename.endswith("/" + file):
                return int(symbol.value())
        symbol = gdb.lookup_symbol(name, self.block)[0]
        if symbol is None:
            raise gdb.GdbError("libweft's debug info has no %s; is this script another "
                               "release's?" % name)
        return int(symbol.value())

    def at(self, address, kind):
        return gdb.Value(address).cast(kind.pointer()).dereference()

    def word(self, address, size=8):
        return int.from_bytes(self.inferior.read_memory(address, size).tobytes(), "little")

    # --- threads

    def find_threads(self):
        """running: address of a task -> (thread, weft__thread of it)"""
        self.running, self.workers, self.tls_error = {}, {}, None
        now = gdb.selected_thread()
        try:
            for thread in self.inferior.threads():
                if thread.is_valid() and not thread.is_running():
                    self.look_at_thread(thread)
        finally:
            if now is not None and gdb.selected_thread() != now:
                now.switch()

    def look_at_thread(self, thread):
        thread.switch()
        try:
            mine = gdb.parse_and_eval("weft__thread")
            task, worker = int(mine["task"]), int(mine["worker"])
            coroutine = int(mine["coroutine"])
        except gdb.error as error:
            self.tls_error = error
            return
        if worker:
            self.workers[worker] = thread
        if task:
            self.running[task] = (thread, coroutine)

    # --- where blocks lie

    def chunks(self):
        """(chunk, index -> address of a slot's block); stack/arena.c"""
        if self.chunk_list is None:
            count = int(self.static("stack/arena.c", "chunk_count").value())
            table = self.static("stack/arena.c", "chunks").value()
            self.chunk_list = [table[i].dereference() for i in range(count)]
            if not all(int(chunk["stride"]) for chunk in self.chunk_list):
                raise gdb.GdbError("This core file lacks the memory of weft's stacks: gdb's own "
                                   "gcore stops at\nthe first guard. Cores of the kernel and of "
                                   "\"weft core\" have it.")
            self.colours = self.constant("stack/arena.c", "COLOURS")
            self.block_bytes = self.constant("stack/arena.c", "STACK_BLOCK_BYTES")
        return self.chunk_list

    def slot_block(self, chunk, index):
        """chunk_slot() of stack/arena.h"""
        end = int(chunk["slots"]) + (index + 1) * int(chunk["stride"])
        return end - self.block_bytes - index % self.colours * 64

    def block_of(self, address):
        """The block of the slot that an address lies in, or None."""
        for chunk in self.chunks():
            if int(chunk["slots"]) <= address < int(chunk["end"]):
                return self.slot_block(chunk, (address - int(chunk["slots"])) //
                                       int(chunk["stride"]))
        return None

    def slots_in_use(self):
        for chunk in self.chunks():
            carved = int(chunk["carved"])
            cold_bits = int(chunk["cold_bits"])
            slots, stride = int(chunk["slots"]), int(chunk["stride"])
            for word in range(0, carved, 64):
                cold = self.word(cold_bits + word // 8)
                for index in range(word, min(word + 64, carved)):
                    if not cold >> index - word & 1:
                        yield (slots + (index + 1) * stride - self.block_bytes
                               - index % self.colours * 64)

    def small_blocks(self):
        """Blocks of tasks on shared stacks: stack/region.c, stack/block.c."""
        kind = self.constant("stack/block.c", "REGION_BLOCKS")
        page_bytes = self.constant("stack/block.c", "REGION_PAGE_BYTES")
        size = self.constant("stack/block.c", "BLOCK_BYTES")
        region = self.static("stack/region.c", "lists").value()[kind]["head"]
        while region:
            free_bits = int(region["free_bits"].address)
            for page in range(int(region["carved"])):
                if self.word(free_bits + page // 64 * 8) >> page % 64 & 1:
                    continue
                # The first block of a page is its head (struct block_page).
                first = int(region["pages"]) + page * page_bytes
                for block in range(first + size, first + page_bytes, size):
                    yield block
            region = region["next"]

    def tasks(self):
        """Every task, by id. One that is free has no id, and nor has whatever else
        uses such memory (C4 of core/coroutine.h; marks in stack/shared.c)."""
        found = {}
        id_at = self.field_offset(self.task, "id")
        for blocks in (self.slots_in_use(), self.small_blocks()):
            for block in blocks:
                try:
                    if self.word(block + id_at):
                        found[block] = None
                except gdb.MemoryError:
                    pass
        for block in self.mains():
            found[block] = None
        tasks = (Task(self, block) for block in found)
        # A plain thread that has waited beside tasks has a block, too: core/guest.h.
        return sorted((task for task in tasks if not task.flag("TASK_GUEST")),
                      key=lambda task: task.id)

    def mains(self):
        """Each worker's thread has a task, in the worker itself: core/registry.c."""
        worker_type = self.type("worker")
        workers = set(self.workers)
        table = self.static("core/registry.c", "workers")
        raw = self.inferior.read_memory(int(table.value().address), table.type.sizeof)
        workers.update(pointer for (pointer,) in struct.iter_unpack("<Q", raw.tobytes())
                       if pointer)
        for worker in workers:
            try:
                main = self.at(worker, worker_type)["main"]["task"]
                if int(main["id"]):
                    yield int(main.address)
            except gdb.MemoryError:
                pass  # G2

    @staticmethod
    def field_offset(kind, name):
        return kind[name].bitpos // 8

    def is_coroutine(self, block):
        """C1: its word is its handle, and a handle (base/handle.h) has the address in
        its upper bits, shifted by the 16 that no address of user space uses."""
        co = self.at(block, self.coroutine)
        tag = self.constant("core/worker.c", "TAG_BITS")
        return (int(co["no_task_id"]) == 0
                and int(co["word"]) >> tag == (block << 16 & MASK) >> tag)

    def portable_switch(self):
        """-DWEFT_SWITCH=ucontext or sjlj: arch/portable/first.h"""
        return gdb.lookup_global_symbol("weft__context_first") is not None


# --- places: registers of something suspended -----------------------------------


class Copy:
    """Frames that were taken off a shared stack; save() of stack/shared.c."""

    def __init__(self, weft, strand):
        saved = int(strand["saved"])
        top = int(strand["shared"]["top"])
        has_head = weft.constant("stack/shared.c", "COPY_HAS_HEAD")
        if saved & has_head:
            saved &= ~has_head
            head = weft.at(saved, weft.type("copy_head", "weft__shared_enter"))
            self.low = top - int(head["bytes"])
            self.start = saved + head.type.sizeof
        else:
            red_zone = weft.constant("arch/context_low.c", "CONTEXT_RED_ZONE")
            self.low = int(strand["ctx"]["sp"]) - red_zone
            self.start = saved
        self.high = top

    def has(self, address):
        return self.low <= address < self.high

    def moved(self, address):
        return address - self.low + self.start if self.has(address) else address


class Place:
    """Where a context goes on: its registers, and the copy it lies in, if any."""

    def __init__(self, weft, context, strand):
        """@context: the address of a weft_context, itself possibly in a copy"""
        self.copy = None
        if strand["shared"] and strand["saved"] and not resident(strand):
            self.copy = Copy(weft, strand)
            context = self.copy.moved(context)
        ctx = weft.at(context, strand["ctx"].type)
        self.sp, self.fp, self.pc = int(ctx["sp"]), int(ctx["bp"]), int(ctx["pc"])
        if self.copy and not self.copy.has(self.sp):
            self.copy = None  # it went on elsewhere, in a coroutine
        if self.copy:
            self.sp, self.fp = self.copy.moved(self.sp), self.copy.moved(self.fp)


def resident(strand):
    return int(strand["shared"]["occupant"]) == int(strand.address)


# --- tasks ------------------------------------------------------------------------


class Task:
    def __init__(self, weft, address):
        self.weft, self.address = weft, address
        self.value = weft.at(address, weft.task)
        self.id = int(self.value["id"])
        self.thread, self.inner = weft.running.get(address, (None, 0))

    def flag(self, name):
        return bool(int(self.value["flags"]) & self.weft.constant("core/worker.c", name))

    def state_is(self, name):
        return (not self.thread and int(self.value["state"]) ==
                self.weft.constant("core/worker.c", name))

    def state(self):
        if self.thread:
            return "running"
        # As gdb prints the enum: a new state has a name by itself, an unknown one
        # its number.
        name = str(self.value["state"].cast(self.weft.states))
        for prefix in ("TASK_", "WAIT_"):
            if name.startswith(prefix):
                name = name[len(prefix):]
        return name.lower()

    def name(self):
        try:
            ext = self.value["ext"]
            if ext:
                return ext["name"].string(errors="replace")
        except gdb.error:
            pass
        return "main" if self.flag("TASK_THREAD") else ""

    def site(self):
        # task_site() of core/task.h
        pointer = int(self.value["origin"]) & (1 << 48) - 1
        if not pointer:
            return "-"
        if pointer not in self.weft.sites:
            try:
                text = self.weft.at(pointer, gdb.lookup_type("char")).address.string()
            except gdb.error:
                text = "0x%x" % pointer
            self.weft.sites[pointer] = text
        return self.weft.sites[pointer]

    def worker(self):
        index = int(self.value["origin"]) >> 48
        if index != 0xffff:  # OWNER_NONE of core/task.h: any of its runtime's
            return str(index)
        try:
            return str(int(self.weft.at(self.address, self.weft.private)["last_worker"]))
        except gdb.error:
            return "any"

    def stack(self):
        """(used or None, size or None) in bytes"""
        strand = self.value["strand"]
        if self.flag("TASK_THREAD"):
            return None, None
        if strand["shared"]:
            low, top = int(strand["shared"]["low"]), int(strand["shared"]["top"])
        else:
            low, top = int(strand["low"]), self.address
        sp = self.thread_registers()[0] if self.thread else int(strand["ctx"]["sp"])
        return (top - sp if low <= sp <= top else None), top - low

    def thread_registers(self):
        """(sp, pc) of the thread it runs on; selects that thread for a moment."""
        now = gdb.selected_thread()
        self.thread.switch()
        try:
            frame = gdb.newest_frame()
            regs = Registers.of(frame.architecture())
            return int(frame.read_register(regs.sp)), frame.pc()
        finally:
            now.switch()

    # --- what it waits for

    def waits_for(self):
        if self.thread:
            return "thread %s" % self.thread.num
        text = ""
        if self.state_is("WAIT_SLEEP"):
            return self.deadline(self.value["timer"]) or "a cancel"
        if self.state_is("TASK_NEW"):
            return "to call %s" % function_name(int(self.value["start"]["fn"]))
        if self.state_is("TASK_DEAD"):
            return "a join; returned %d" % int(self.value["result"])
        if self.state_is("WAIT_JOIN"):
            text = self.joined()
        elif self.state_is("WAIT_FD"):
            text = self.descriptor()
        elif self.state_is("WAIT_ADDRESS"):
            # of libc's: sync/lot.h
            text = "0x%x" % int(self.value["waiter"]["value"])
        elif self.state_is("WAIT_RESUME"):
            text = "being resumed"
        if self.flag("TASK_PRIVATE") and self.parked():
            until = self.deadline(self.weft.at(self.address, self.weft.private)["deadline"])
            text += (", " if text and until else "") + until
        return text

    def parked(self):
        # "From WAIT_SLEEP on it is parked", core/task.h
        return (not self.thread and int(self.value["state"]) >=
                self.weft.constant("core/worker.c", "WAIT_SLEEP"))

    def joined(self):
        other = self.weft.at(int(self.value["waiter"]["object"]), self.weft.task)
        try:
            return "task %d" % int(other["id"])
        except gdb.error:
            return "a task"

    def descriptor(self):
        # waiter_object() of io/fd.c: the number, and what for (poll/poll.h)
        word = int(self.value["waiter"]["object"])
        if not word:
            return ""
        names = [text for name, text in (("POLL_READABLE", "read"), ("POLL_WRITABLE", "write"))
                 if word & self.weft.constant("io/fd.c", name)]
        return "fd %d %s" % (word >> 8, "/".join(names))

    def deadline(self, timer):
        if not timer["pprev"]:  # T2 of core/timer.h
            return ""
        when_ns = int(timer["when_ns"])
        connection = self.weft.inferior.connection
        if connection is not None and connection.type == "native":
            left = (when_ns - time.clock_gettime_ns(time.CLOCK_MONOTONIC)) / 1e9
            return "%.3f s %s" % (abs(left), "more" if left >= 0 else "overdue")
        return "till %.3f s" % (when_ns / 1e9)

    # --- its stacks, innermost first

    def places(self):
        """[(place, coroutine or None)]; the place of what runs is None."""
        inner = self.inner
        strand = self.value["strand"]
        if not self.thread and not inner:
            block = self.weft.block_of(int(strand["ctx"]["sp"]))
            if block and block != self.address and self.weft.is_coroutine(block):
                inner = block
        if not inner:
            return [(None if self.thread else Place(self.weft, int(strand["ctx"].address), strand),
                     None)]
        result, context = [], None if self.thread else int(strand["ctx"].address)
        for _ in range(1000):  # G2
            co = self.weft.at(inner, self.weft.coroutine)
            result.append((Place(self.weft, context, co["strand"]) if context else None, co))
            context, inner = int(co["caller"]), int(co["resumer"])
            if not inner:
                break
        return result + [(Place(self.weft, context, strand), None)]

    def headline(self):
        name = self.name()
        waits = self.waits_for()
        return "Task %d%s, %s%s, spawned at %s" % (
            self.id, ' "%s"' % name if name else "", self.state(),
            " (%s)" % waits if waits else "", self.site())

    def check_walkable(self):
        if self.thread:
            return
        if self.state_is("TASK_NEW"):
            raise gdb.GdbError("Task %d has not begun: it has no frames; it waits %s."
                               % (self.id, self.waits_for()))
        if self.state_is("TASK_DEAD"):
            raise gdb.GdbError("Task %d has ended: it has no frames." % self.id)
        if self.state_is("TASK_RUNNING"):
            raise gdb.GdbError("Task %d runs, but it is not known on which thread (%s)."
                               % (self.id, self.weft.tls_error or "it is not stopped"))
        if self.weft.portable_switch():
            raise gdb.GdbError("This libweft switches by ucontext or sjlj: the registers of "
                               "a parked task cannot be taken from it.")


def function_name(address):
    text = gdb.execute("info symbol 0x%x" % address, to_string=True)
    return "0x%x" % address if text.startswith("No symbol") else text.split()[0]


def coroutine_title(co):
    name = ""
    try:
        if co["ext"]:
            name = co["ext"]["name"].string(errors="replace")
    except gdb.error:
        pass
    return "coroutine 0x%x%s (%s)" % (int(co.address), ' "%s"' % name if name else "",
                                      function_name(int(co["fn"])))


# --- the selection: unwinder and frame filter ----------------------------------------


class Registers:
    """The registers that a context has, by gdb's names for them."""

    def __init__(self, sp, fp, pc):
        self.sp, self.fp, self.pc = sp, fp, pc

    @staticmethod
    def of(architecture):
        name = architecture.name()
        if name.startswith("i386:x86-64"):
            return Registers("rsp", "rbp", "rip")
        if name.startswith("aarch64"):
            return Registers("sp", "x29", "pc")
        if name.startswith("riscv:rv64"):
            return Registers("sp", "fp", "pc")
        raise gdb.GdbError("weft does not run on %s." % name)


class FrameId:
    def __init__(self, sp, pc, special=None):
        self.sp, self.pc = gdb.Value(sp), gdb.Value(pc)
        if special is not None:
            self.special = gdb.Value(special)


class Selection:
    """What a thread shows in place of itself.

    Frames are claimed by their registers, not by their level: inlined functions are
    frames too, and gdb has dealt with those before it asks us.

    A frame in a copy (Copy) is found by its stack pointer; its frame pointer, as its
    callee saved it, still leads to the stack that the copy was taken from. Such a
    frame is claimed as well: its caller is itself, with the frame pointer moved. The
    filter hides the first of the two from backtraces; "up" would show both, one of
    them with wrong locals, so a task in a copy is shown by "weft bt" only.
    """

    def __init__(self, place):
        frame = gdb.newest_frame()
        thread = gdb.selected_thread()
        self.place, self.ptid = place, thread.ptid
        self.regs = Registers.of(frame.architecture())
        self.sp = int(frame.read_register(self.regs.sp))
        self.pc = int(frame.read_register(self.regs.pc))

    def claims(self, frame):
        """"outside": the thread's own; "moved": see above; or None."""
        thread = gdb.selected_thread()
        if thread is None or thread.ptid != self.ptid:
            return None
        try:
            if (int(frame.read_register(self.regs.pc)) == self.pc
                    and int(frame.read_register(self.regs.sp)) == self.sp):
                return "outside"
            copy = self.place.copy
            if copy and copy.has(int(frame.read_register(self.regs.fp))):
                return "moved"
        except gdb.error:
            pass  # a register that is not known
        return None

    def unwind(self, frame):
        kind = self.claims(frame)
        if kind == "outside":
            return self.unwind_outside(frame)
        if kind == "moved":
            return self.unwind_moved(frame)
        return None

    @staticmethod
    def set(info, frame, register, value):
        kind = frame.read_register(register).type
        info.add_saved_register(register, gdb.Value(value & MASK).cast(kind))

    def unwind_outside(self, frame):
        # gdb stops where a caller's stack lies below its callee's, so this frame is
        # given the task's stack.
        info = frame.create_unwind_info(FrameId(self.place.sp, self.pc))
        self.set(info, frame, self.regs.sp, self.place.sp)
        self.set(info, frame, self.regs.fp, self.place.fp)
        # Of callers gdb looks up pc - 1, the call. A parked task has made none: what
        # is before its pc is the jump of the switch, and not its own.
        self.set(info, frame, self.regs.pc, self.place.pc + 1)
        return info

    def unwind_moved(self, frame):
        sp = int(frame.read_register(self.regs.sp))
        info = frame.create_unwind_info(FrameId(sp, int(frame.read_register(self.regs.pc)), 1))
        for register in frame.architecture().registers("general"):
            try:
                value = frame.read_register(register.name)
                if register.name == self.regs.fp:
                    self.set(info, frame, register.name, self.place.copy.moved(int(value)))
                elif not value.is_optimized_out:
                    info.add_saved_register(register.name, value)
            except (gdb.error, ValueError):
                pass
        return info


class TaskUnwinder(Unwinder):
    """Enabled while something is selected."""

    def __init__(self):
        super().__init__("weft-task")
        self.enabled = False
        self.selection = None
        self.task_id = None  # of "weft task"; None: for the moment of a "weft bt"
        self.in_call = False

    def __call__(self, pending_frame):
        return self.selection.unwind(pending_frame) if self.selection else None

    def select(self, place, task_id=None):
        self.drop()
        self.selection, self.task_id = Selection(place), task_id
        self.enabled = task_filter.enabled = True
        gdb.invalidate_cached_frames()
        frame = gdb.newest_frame()
        while frame is not None and self.selection.claims(frame):
            frame = frame.older()
        if frame is not None:
            frame.select()

    def drop(self):
        if self.selection is None:
            return
        self.selection = self.task_id = None
        self.enabled = task_filter.enabled = False
        gdb.invalidate_cached_frames()

    def on_resume(self, _event):
        if not self.in_call:  # gdb comes back to where it was
            self.drop()

    def on_call(self, event):
        self.in_call = isinstance(event, gdb.InferiorCallPreEvent)


class TaskFilter:
    """Backtraces without the frames that are claimed."""

    def __init__(self):
        self.name, self.priority, self.enabled = "weft-task", 1000, False
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        selection = unwinder.selection
        return (frame for frame in frames
                if not selection or not selection.claims(frame.inferior_frame()))


def forget_old():
    """This file may be loaded twice."""
    old = getattr(gdb, "weft_events", None)
    if old:
        for registry, handler in old:
            registry.disconnect(handler)


forget_old()
task_filter = TaskFilter()
unwinder = TaskUnwinder()
gdb.unwinder.register_unwinder(None, unwinder, replace=True)
gdb.weft_events = [(gdb.events.cont, unwinder.on_resume),
                   (gdb.events.inferior_call, unwinder.on_call)]
for registry, handler in gdb.weft_events:
    registry.connect(handler)


# --- commands ---------------------------------------------------------------------------


def find_task(weft, text):
    try:
        wanted = int(text, 0)
    except ValueError:
        raise gdb.GdbError('"%s" is not the id of a task; see "weft tasks".' % text) from None
    for task in weft.tasks():
        if task.id == wanted:
            return task
    raise gdb.GdbError("There is no task %d." % wanted)


def plain_view():
    """Drops the selection for the time of a command; returns what was selected."""
    selected = unwinder.task_id
    unwinder.drop()
    return selected


class WeftCommand(gdb.Command):
    """Tasks of weft: list them, walk their stacks."""

    def __init__(self):
        super().__init__("weft", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)


class TasksCommand(gdb.Command):
    """List every task: id, state, what it waits for, worker, stack, where it was spawned.

Usage: weft tasks
The task that "weft task" has selected is marked by a star. USED is how far down the
stack it stands now; "saved" means that its frames are off their shared stack."""

    def __init__(self):
        super().__init__("weft tasks", gdb.COMMAND_STATUS, gdb.COMPLETE_NONE)

    def invoke(self, argument, from_tty):
        weft = Weft()
        rows = [("", "ID", "NAME", "STATE", "WAITS FOR", "WORKER", "USED", "STACK", "SPAWNED AT")]
        tasks = weft.tasks()
        for task in tasks:
            rows.append(self.row(task))
        widths = [max(map(len, column)) for column in zip(*rows)]
        for row in rows:
            print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
        if weft.tls_error:
            print("Which thread runs which task is not known: %s" % weft.tls_error)

    @staticmethod
    def row(task):
        def size(count):
            return "-" if count is None else "%d" % count if count < 10240 else \
                "%dK" % (count >> 10)

        try:
            used, stack = task.stack()
            strand = task.value["strand"]
            note = ""
            if strand["shared"]:
                note = " shared"
                if strand["saved"] and not resident(strand):
                    note = " saved"
            return ("*" if task.id == unwinder.task_id else "", str(task.id), task.name() or "-",
                    task.state(), task.waits_for() or "-", task.worker(), size(used),
                    size(stack) + note, task.site())
        except gdb.MemoryError as error:  # G2
            return ("", str(task.id), "?", str(error), "", "", "", "", "")


class BtCommand(gdb.Command):
    """Print the backtrace of a task, or of all.

Usage: weft bt ID|all [arguments of "backtrace"]
A task that is inside a coroutine has a stack more for each: innermost first. Where
frames were taken off a shared stack, the addresses of their locals are those of the
copy, and pointers to them lead to what is on that stack now."""

    def __init__(self):
        super().__init__("weft bt", gdb.COMMAND_STACK, gdb.COMPLETE_NONE)

    def invoke(self, argument, from_tty):
        which, _, rest = argument.strip().partition(" ")
        if not which:
            raise gdb.GdbError("Usage: weft bt ID|all [arguments of \"backtrace\"]")
        selected = plain_view()
        thread = gdb.selected_thread()
        weft = Weft()
        try:
            if which == "all":
                for task in weft.tasks():
                    print(task.headline())
                    try:
                        self.show(task, rest)
                    except (gdb.error, gdb.GdbError) as error:
                        print(error)
                    print("")
            else:
                task = find_task(weft, which)
                print(task.headline())
                self.show(task, rest)
        finally:
            unwinder.drop()
            if thread is not None:
                thread.switch()
            if selected is not None:
                reselect(weft, selected)

    @staticmethod
    def show(task, arguments):
        task.check_walkable()
        for place, co in task.places():
            if place is None:
                task.thread.switch()
            else:
                unwinder.select(place)
            gdb.execute("backtrace " + arguments)
            unwinder.drop()
            if co is not None:
                print("... in %s, resumed by:" % coroutine_title(co))


def reselect(weft, task_id):
    try:
        unwinder.select(find_task(weft, str(task_id)).places()[0][0], task_id)
    except (gdb.error, gdb.GdbError):
        pass


class TaskCommand(gdb.Command):
    """Select a task: bt, frame, up, info locals and the like then speak of it.

Usage: weft task ID
       weft task off
The present thread shows the task in place of itself: frame 0 is the thread's own
still, the task's frames follow. Ends by "weft task off", and when the program goes
on: step, next and continue are the thread's. A running task is its thread: that is
selected."""

    def __init__(self):
        super().__init__("weft task", gdb.COMMAND_STACK, gdb.COMPLETE_NONE)

    def invoke(self, argument, from_tty):
        argument = argument.strip()
        if not argument:
            raise gdb.GdbError("Usage: weft task ID, or weft task off")
        plain_view()
        if argument == "off":
            if gdb.selected_thread() is not None:
                gdb.execute("frame")
            return
        task = find_task(Weft(), argument)
        task.check_walkable()
        place, co = task.places()[0]
        if place is None:
            task.thread.switch()
            print(task.headline())
        else:
            if place.copy:
                raise gdb.GdbError('The frames of task %d are off their stack, so it cannot be '
                                   'selected: "weft bt %d", or "weft bt %d full" with\nlocals, '
                                   'shows them from their copy.' % (task.id, task.id, task.id))
            unwinder.select(place, task.id)
            print(task.headline())
        if co is not None:
            print('It is in %s: "weft bt %d" shows the stacks below.'
                  % (coroutine_title(co), task.id))
        gdb.execute("frame")


class CoreCommand(gdb.Command):
    """Write a core file of the live process, with every task in it.

Usage: weft core FILE
gdb's own gcore stops at the first page that it cannot read, and a stack's guard is
one: the stacks behind it would be missing."""

    def __init__(self):
        super().__init__("weft core", gdb.COMMAND_DATA, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("Usage: weft core FILE")
        chunks = Weft().chunks()
        plain_view()
        said = gdb.execute("generate-core-file " + argument, to_string=True)
        with open(os.path.expanduser(argument.strip()), "r+b") as file:
            for start, size, offset in self.segments(file):
                if any(start < int(chunk["end"]) and int(chunk["slots"]) < start + size
                       for chunk in chunks):
                    self.fill(file, start, size, offset)
        print("\n".join(line for line in said.splitlines() if line.startswith("Saved")))

    @staticmethod
    def segments(file):
        """(address, bytes, offset) of what is in the core; see elf(5)"""
        PT_LOAD = 1
        header = file.read(64)
        first, = struct.unpack_from("<Q", header, 32)
        entry_bytes, count = struct.unpack_from("<HH", header, 54)
        file.seek(first)
        table = file.read(entry_bytes * count)
        for entry in range(0, len(table), entry_bytes):
            kind, _, offset, address, _, size = struct.unpack_from("<IIQQQQ", table, entry)
            if kind == PT_LOAD and size:
                yield address, size, offset

    def fill(self, file, start, size, offset, piece=1 << 20):
        """What can be read of [start, start + size), and is not zeros."""
        inferior = gdb.selected_inferior()
        for at in range(start, start + size, piece):
            count = min(piece, start + size - at)
            try:
                data = inferior.read_memory(at, count).tobytes()
            except gdb.MemoryError:
                if piece > 4096:
                    self.fill(file, at, count, offset + at - start, max(piece // 16, 4096))
                continue
            if data.count(0) != count:
                file.seek(offset + at - start)
                file.write(data)


class TaskFunction(gdb.Function):
    """$weft_task(ID): the struct task * of a task."""

    def __init__(self):
        super().__init__("weft_task")

    def invoke(self, task_id):
        return find_task(Weft(), str(int(task_id))).value.address


WeftCommand()
TasksCommand()
BtCommand()
TaskCommand()
CoreCommand()
TaskFunction()
