// SPDX-License-Identifier: MIT
//
// million.go - the rows million_ of the bench, as bench/ten-million.c does them: goroutines
// that sleep up to one moment, each at the end of three calls.
//
// Go preempts whoever starts them, so that some fall asleep while others are still to be made:
// spawn and park are one figure. wake is up to the end of the last, which is all that a WaitGroup
// tells; there is no join.
package main

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	gateEach  = 8 * time.Microsecond // time to start one and have it fall asleep
	gateLeast = 300 * time.Millisecond
)

var million struct {
	gate          time.Time
	done          sync.WaitGroup
	asleep, awake int64
}

//go:noinline
func sleepUpToGate() int {
	atomic.AddInt64(&million.asleep, 1)
	time.Sleep(time.Until(million.gate))
	million.awake++
	return 0
}

//go:noinline
func middle(depth *int) int {
	return sleepUpToGate() + *depth
}

//go:noinline
func outer(depth *int) {
	if middle(depth) != *depth {
		fmt.Fprintln(os.Stderr, "peer-go: what came back is not what was given")
	}
	million.done.Done()
}

func millionRow(count int) {
	depth := 3
	million.gate = time.Now().Add(gateLeast + time.Duration(count)*gateEach)
	million.done.Add(count)
	start := cpu()
	for i := 0; i < count; i++ {
		go outer(&depth)
	}
	for atomic.LoadInt64(&million.asleep) < int64(count) {
		time.Sleep(10 * time.Millisecond)
	}
	perOp("million_start", start, count)
	inTime := time.Now().Before(million.gate)
	start = cpu()
	million.done.Wait()
	if inTime {
		perOp("million_wake", start, count)
	} else {
		fmt.Println("SKIP million_wake Go not all were asleep before the first woke up")
	}
	peak := procBytes("VmHWM")
	row("million_rss", peak/1e9, "GB")
	row("million_bytes", peak/float64(count), "bytes")
}
