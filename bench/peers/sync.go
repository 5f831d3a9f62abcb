// SPDX-License-Identifier: MIT
//
// sync.go - channels, locks and promises as a Go program has them.
//
// What each row does is said at the heads of bench/chan.c, bench/lock.c,
// bench/promise.c and bench/skynet.c.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
)

const lockers = 8

// chanRow: one goroutine sends, another receives.
func chanRow(name string, capacity, count int) {
	values := make(chan int, capacity)
	start := cpu()
	go func() {
		for i := 0; i < count; i++ {
			values <- i
		}
		close(values)
	}()
	for value := range values {
		sink += value
	}
	perOp(name, start, count)
}

func senders(n, count int) (chans []chan int, each int) {
	each = count/n + 1
	for i := 0; i < n; i++ {
		values := make(chan int)
		chans = append(chans, values)
		go func() {
			for i := 0; i < each; i++ {
				values <- i
			}
		}()
	}
	return chans, each
}

// select2Row: a goroutine a channel sends, one receives from whichever is ready.
func select2Row(count int) {
	start := cpu()
	c, each := senders(2, count)
	for i := 0; i < 2*each; i++ {
		select {
		case value := <-c[0]:
			sink += value
		case value := <-c[1]:
			sink += value
		}
	}
	perOp("select_2", start, 2*each)
}

func select8Row(count int) {
	start := cpu()
	c, each := senders(8, count)
	c0, c1, c2, c3, c4, c5, c6, c7 := c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]
	for i := 0; i < 8*each; i++ {
		select {
		case value := <-c0:
			sink += value
		case value := <-c1:
			sink += value
		case value := <-c2:
			sink += value
		case value := <-c3:
			sink += value
		case value := <-c4:
			sink += value
		case value := <-c5:
			sink += value
		case value := <-c6:
			sink += value
		case value := <-c7:
			sink += value
		}
	}
	perOp("select_8", start, 8*each)
}

// locked adds to a counter under a mutex; with yields it yields before it unlocks.
func locked(tasks, count int, yields bool) {
	var mutex sync.Mutex
	var wg sync.WaitGroup
	each, counter := count/tasks, 0
	for i := 0; i < tasks; i++ {
		wg.Add(1)
		go func() {
			for n := 0; n < each; n++ {
				mutex.Lock()
				counter++
				if yields {
					runtime.Gosched()
				}
				mutex.Unlock()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	if counter != each*tasks {
		fmt.Fprintln(os.Stderr, "peer-go: the mutex let two in")
		os.Exit(1)
	}
}

func mutexRow(name string, tasks, count int, yields bool) {
	start := cpu()
	locked(tasks, count, yields)
	perOp(name, start, count/tasks*tasks)
}

func (c *crew) mutex(count int) {
	c.start()
	locked(lockers, count, false)
	c.report("mutex", float64(count/lockers*lockers), "ns")
}

func waitgroupRow(count int) {
	var wg sync.WaitGroup
	start := cpu()
	for i := 0; i < count; i++ {
		wg.Add(1)
		wg.Done()
		wg.Wait()
	}
	perOp("waitgroup", start, count)
}

// promise: a goroutine asks another one, which is a thread of its own, and gets the answer
// by a channel made for it.
func (c *crew) promise(count int) {
	asked := make(chan chan int, 1)
	go func() {
		runtime.LockOSThread()
		for answer := range asked {
			answer <- 1
		}
	}()
	c.start()
	for i := 0; i < count; i++ {
		answer := make(chan int, 1)
		asked <- answer
		sink += <-answer
	}
	c.report("promise", float64(count), "ns")
	close(asked)
}

func skynet(out chan<- int, number, size int) {
	if size == 1 {
		out <- number
		return
	}
	sums, sum := make(chan int), 0
	for i := 0; i < 10; i++ {
		go skynet(sums, number+i*(size/10), size/10)
	}
	for i := 0; i < 10; i++ {
		sum += <-sums
	}
	out <- sum
}

func (c *crew) skynet(atleast int) {
	out, leaves := make(chan int), 1
	for leaves < atleast {
		leaves *= 10
	}
	c.start()
	go skynet(out, 0, leaves)
	if <-out != leaves*(leaves-1)/2 {
		fmt.Fprintln(os.Stderr, "peer-go: skynet's sum is wrong")
		os.Exit(1)
	}
	c.report("skynet", 1, "s")
}

// syncRow: false when there is no such row.
func syncRow(what string, count int) bool {
	switch what {
	case "chan":
		chanRow(what, 0, count)
	case "chan_128":
		chanRow(what, 128, count)
	case "select_2":
		select2Row(count)
	case "select_8":
		select8Row(count)
	case "mutex":
		mutexRow(what, 1, count, false)
	case "mutex_8":
		mutexRow(what, lockers, count, false)
	case "mutex_held":
		mutexRow(what, lockers, count, true)
	case "waitgroup":
		waitgroupRow(count)
	default:
		return false
	}
	return true
}
