// SPDX-License-Identifier: MIT
//
// peer.go - the rows of the bench as a Go program does them.
//
//	peer-go <row> [count]
//
// Each row does what the weft program of the same name does, and prints the
// same lines (see bench/bench.h). The driver sets GOMAXPROCS=1 and pins it to
// the same CPU as everyone else; but for the rows of crew.go.
package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const clockProcessCPU = 2 // CLOCK_PROCESS_CPUTIME_ID

// cpu is the CPU time of every thread of this process, in nanoseconds.
func cpu() int64 {
	var ts syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockProcessCPU, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

func row(name string, value float64, unit string) {
	fmt.Printf("ROW %s Go %.4g %s\n", name, value, unit)
}

func perOp(name string, start int64, ops int) {
	row(name, float64(cpu()-start)/float64(ops), "ns")
}

// yieldRow: with sites the goroutines yield from two places in the code by turns.
func yieldRow(name string, tasks, total int, sites bool) {
	var wg sync.WaitGroup
	each := total / tasks
	gate := make(chan struct{})
	for i := 0; i < tasks; i++ {
		wg.Add(1)
		go func(elsewhere bool) {
			<-gate
			if elsewhere {
				for n := each; n > 0; n-- {
					runtime.Gosched()
				}
			} else {
				for n := 0; n < each; n++ {
					runtime.Gosched()
				}
			}
			wg.Done()
		}(sites && i%2 == 1)
	}
	for i := 0; i < 3; i++ {
		runtime.Gosched()
	}
	start := cpu()
	close(gate)
	wg.Wait()
	perOp(name, start, each*tasks)
}

var sink int

func spawnRow(count int) {
	done := make(chan int)
	start := cpu()
	for i := 0; i < count; i++ {
		go func(n int) { done <- n }(i)
		sink += <-done
	}
	perOp("spawn", start, count)
}

func spawnBatchRow(batch, count int) {
	start := cpu()
	for i := 0; i < count; i += batch {
		var wg sync.WaitGroup
		wg.Add(batch)
		for n := 0; n < batch; n++ {
			go func() { wg.Done() }()
		}
		wg.Wait()
	}
	perOp("spawn_batch", start, count)
}

// wakeRow: two goroutines wake each other in turn through unbuffered channels.
func wakeRow(count int) {
	ping, pong := make(chan struct{}), make(chan struct{})
	go func() {
		for range ping {
			pong <- struct{}{}
		}
	}()
	start := cpu()
	for i := 0; i < count; i++ {
		ping <- struct{}{}
		<-pong
	}
	perOp("wake", start, 2*count)
}

func timerRow(count int) {
	timers := make([]*time.Timer, 1000)
	for n := range timers {
		timers[n] = time.NewTimer(time.Hour)
		timers[n].Stop()
	}
	start := cpu()
	for i := 0; i < count; i += len(timers) {
		for n, timer := range timers {
			timer.Reset(time.Duration(n+1) * time.Hour)
		}
		for _, timer := range timers {
			timer.Stop()
		}
	}
	perOp("timer", start, count)
}

func sleepRow(count int) {
	var wg sync.WaitGroup
	wall, used := time.Now(), cpu()
	wg.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			time.Sleep(10 * time.Millisecond)
			wg.Done()
		}()
	}
	wg.Wait()
	row("sleep", time.Since(wall).Seconds(), "s")
	row("sleep_cpu", float64(cpu()-used)/1e9, "s")
}

func procBytes(name string) float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, name+":") {
			kb, _ := strconv.ParseFloat(strings.Fields(line)[1], 64)
			return kb * 1024
		}
	}
	return 0
}

// parkedRow: a sleep cannot be ended from outside in Go, so the process ends
// with them asleep.
func parkedRow(count int) {
	runtime.GC()
	before, tables := procBytes("VmRSS"), procBytes("VmPTE")
	for i := 0; i < count; i++ {
		go time.Sleep(time.Hour)
	}
	for i := 0; i < 3; i++ {
		runtime.Gosched()
	}
	time.Sleep(100 * time.Millisecond)
	row("parked", (procBytes("VmRSS")-before)/float64(count), "bytes")
	row("parked_tables", (procBytes("VmPTE")-tables)/float64(count), "bytes")
}

func echoServe(conn net.Conn) {
	buf := make([]byte, 1024)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			break
		}
		if _, err = conn.Write(buf[:n]); err != nil {
			break
		}
	}
	conn.Close()
}

func echoRow() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening on", listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			continue
		}
		go echoServe(conn)
	}
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: peer-go <row> [count]")
		os.Exit(2)
	}
	count := func(otherwise int) int {
		if len(os.Args) > 2 {
			if n, err := strconv.Atoi(os.Args[2]); err == nil && n > 0 {
				return n
			}
		}
		return otherwise
	}
	if what := strings.TrimPrefix(os.Args[1], "crew_"); what != os.Args[1] && len(os.Args) > 3 {
		procs, _ := strconv.Atoi(os.Args[2])
		amount, _ := strconv.Atoi(os.Args[3])
		if crewRow(what, procs, amount) {
			return
		}
	}
	switch os.Args[1] {
	case "yield_2":
		yieldRow("yield_2", 2, count(5000000), false)
	case "yield_2_sites":
		yieldRow("yield_2_sites", 2, count(5000000), true)
	case "yield_1000":
		yieldRow("yield_1000", 1000, count(5000000), false)
	case "yield_1000_sites":
		yieldRow("yield_1000_sites", 1000, count(5000000), true)
	case "spawn":
		spawnRow(count(1000000))
	case "spawn_batch":
		spawnBatchRow(1000, count(1000000))
	case "wake":
		wakeRow(count(1000000))
	case "timer":
		timerRow(count(1000000))
	case "sleep":
		sleepRow(count(1000000))
	case "parked":
		parkedRow(count(1000000))
	case "million":
		millionRow(count(1000000))
	case "echo":
		echoRow()
	default:
		if !syncRow(os.Args[1], count(1000000)) {
			fmt.Fprintln(os.Stderr, "peer-go: no such row:", os.Args[1])
			os.Exit(2)
		}
	}
}
