// SPDX-License-Identifier: MIT
//
// crew.go - the rows that compare one worker with two, as a Go program does them.
//
//	peer-go crew_<what> <GOMAXPROCS> [count]
//	peer-go crew_echo <GOMAXPROCS> <work> [hog]
//
// What each does is said at the head of bench/crew.c, bench/hop.c and the programs that
// sync.go names. Rows are told in wall time, and in CPU time of the process as _cpu.
package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const leafSteps = 13000

type crew struct {
	procs int
	wall  time.Time
	used  int64
}

func (c *crew) start() {
	c.wall, c.used = time.Now(), cpu()
}

func (c *crew) report(what string, ops float64, unit string) {
	wall, used := float64(time.Since(c.wall).Nanoseconds()), float64(cpu()-c.used)
	if unit == "s" {
		ops *= 1e9
	}
	name := fmt.Sprintf("%s_w%d", what, c.procs)
	row(name, wall/ops, unit)
	row(name+"_cpu", used/ops, unit)
}

func (c *crew) yield(tasks, total int) {
	var wg sync.WaitGroup
	each := total/tasks + 1
	gate := make(chan struct{})
	for i := 0; i < tasks; i++ {
		wg.Add(1)
		go func() {
			<-gate
			for n := 0; n < each; n++ {
				runtime.Gosched()
			}
			wg.Done()
		}()
	}
	c.start()
	close(gate)
	wg.Wait()
	c.report("yield", float64(each*tasks), "ns")
}

func spawnBatches(batch, count int) {
	for i := 0; i < count; i += batch {
		var wg sync.WaitGroup
		wg.Add(batch)
		for n := 0; n < batch; n++ {
			go func() { wg.Done() }()
		}
		wg.Wait()
	}
}

func (c *crew) spawn(what string, spawners, count int) {
	var wg sync.WaitGroup
	spawnBatches(1000, 1000)
	c.start()
	for i := 0; i < spawners; i++ {
		wg.Add(1)
		go func() {
			spawnBatches(1000, count/spawners)
			wg.Done()
		}()
	}
	wg.Wait()
	c.report(what, float64(count), "ns")
}

var computed uint64

func compute() {
	x := computed
	for i := 0; i < leafSteps; i++ {
		x = x*6364136223846793005 + 1
	}
	if x == 0 {
		computed = x
	}
}

func branch(count int, computes bool) int {
	var sums [2]int
	var wg sync.WaitGroup
	for i, part := range [2]int{(count - 1) / 2, count - 1 - (count-1)/2} {
		if part > 0 {
			wg.Add(1)
			go func(i, part int) {
				if computes {
					compute()
				}
				sums[i] = branch(part, computes)
				wg.Done()
			}(i, part)
		}
	}
	wg.Wait()
	return 1 + sums[0] + sums[1]
}

func (c *crew) tree(what string, count int, computes bool) {
	c.start()
	if branch(count, computes) != count {
		fmt.Fprintln(os.Stderr, "peer-go: a goroutine of the tree is missing")
		os.Exit(1)
	}
	c.report(what, float64(count), "ns")
}

// cross: through unbuffered channels; locked has a thread for each of the two.
func (c *crew) cross(what string, count int, locked, busy bool) {
	ping, pong, over := make(chan struct{}), make(chan struct{}), false
	if locked {
		runtime.LockOSThread()
	}
	for i := 0; busy && i < c.procs; i++ {
		go func() {
			for !over {
				runtime.Gosched()
			}
		}()
	}
	go func() {
		if locked {
			runtime.LockOSThread()
		}
		for range ping {
			pong <- struct{}{}
		}
	}()
	c.start()
	for i := 0; i < count/2; i++ {
		ping <- struct{}{}
		<-pong
	}
	c.report(what, float64(count/2*2), "ns")
	over = true
}

// deadline: each hop of either side arms a timer and stops it.
func (c *crew) deadline(count int) {
	var wg sync.WaitGroup
	each := count / (2 * c.procs)
	side := func(in, out chan struct{}, first bool) {
		timer := time.NewTimer(time.Hour)
		for i := 0; i < each; i++ {
			if first {
				out <- struct{}{}
			}
			timer.Reset(time.Hour)
			select {
			case <-in:
			case <-timer.C:
			}
			timer.Stop()
			if !first {
				out <- struct{}{}
			}
		}
		wg.Done()
	}
	c.start()
	for i := 0; i < c.procs; i++ {
		ping, pong := make(chan struct{}), make(chan struct{})
		wg.Add(2)
		go side(pong, ping, true)
		go side(ping, pong, false)
	}
	wg.Wait()
	c.report("deadline", float64(2*c.procs*each), "ns")
}

func (c *crew) naps(count int) {
	var wg sync.WaitGroup
	c.start()
	for maker := 0; maker < 2; maker++ {
		wg.Add(1)
		go func() {
			var sleepers sync.WaitGroup
			sleepers.Add(count / 2)
			for i := 0; i < count/2; i++ {
				go func() {
					time.Sleep(10 * time.Millisecond)
					sleepers.Done()
				}()
			}
			sleepers.Wait()
			wg.Done()
		}()
	}
	wg.Wait()
	c.report("naps", 1, "s")
}

// burn uses so much CPU time of the calling thread.
func burn(amount time.Duration) {
	now := func() int64 {
		var ts syscall.Timespec
		syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, 3, uintptr(unsafe.Pointer(&ts)), 0)
		return ts.Nano()
	}
	runtime.LockOSThread()
	for end := now() + int64(amount); now() < end; {
		compute()
	}
	runtime.UnlockOSThread()
}

func crewEchoServe(conn net.Conn, work int) {
	buf := make([]byte, 1024)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			break
		}
		for i := 0; i < work; i++ {
			compute()
		}
		if _, err = conn.Write(buf[:n]); err != nil {
			break
		}
	}
	conn.Close()
}

func crewEcho(work int, hog bool) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening on", listener.Addr())
	if hog {
		go func() {
			for {
				burn(10 * time.Millisecond)
				time.Sleep(90 * time.Millisecond)
			}
		}()
	}
	for {
		if conn, err := listener.Accept(); err == nil {
			go crewEchoServe(conn, work)
		}
	}
}

// crewRow: false when there is no such row.
func crewRow(what string, procs, count int) bool {
	runtime.GOMAXPROCS(procs)
	c := &crew{procs: procs}
	switch what {
	case "yield":
		c.yield(1000, count)
	case "spawn":
		c.spawn("spawn", 1, count)
	case "spawn2":
		c.spawn("spawn2", 2, count)
	case "tree":
		c.tree("tree", count, false)
	case "leaves":
		c.tree("leaves", count, true)
	case "cross":
		c.cross("cross", count, false, false)
	case "cross_locked":
		c.cross("cross_locked", count, true, false)
	case "cross_busy":
		c.cross("cross_busy", count, false, true)
	case "deadline":
		c.deadline(count)
	case "naps":
		c.naps(count)
	case "mutex":
		c.mutex(count)
	case "promise":
		c.promise(count)
	case "skynet":
		c.skynet(count)
	case "echo":
		crewEcho(count, len(os.Args) > 4)
	default:
		return false
	}
	return true
}
