package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"time"
)

// life is what is known of a pod that runs Milvus.
type life struct {
	Pod
	name                              string
	born                              int64
	created, ready, deleting, removed time.Time
	ran                               bool // was ready at some time
}

// state is the cluster between two events: one release's pods that live, terminating ones included.
type state struct {
	alive []*life
	first string // the queue of the first pod that the record knows
	// per ConfigMap, as a pod that starts now would mount it
	configs map[string]Config
}

// Violation of an invariant: one pod (or pair of pods), from its first moment to its last.
type Violation struct {
	Invariant string
	What      string
	From      time.Time
	For       time.Duration
}

// Result of a replay.
type Result struct {
	Violations []Violation
	Seconds    map[string]float64 // per invariant, how long at least one violation of it lasted
	Pods       []*life
	Start, End time.Time
}

func load(in io.Reader) ([]Event, error) {
	var events []Event
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(events)+1, err)
		}
		if e.Type == "LOST" {
			return nil, fmt.Errorf("the watch of %s lost events at %s", e.Name, e.At)
		}
		events = append(events, e)
	}
	// Two watches were written into one file; the revision is the cluster's own clock.
	sort.SliceStable(events, func(i, j int) bool { return events[i].Revision < events[j].Revision })
	return events, lines.Err()
}

// marked says whether a record has come as far as a mark: a pod and a ConfigMap of that name in the namespace.
func marked(events []Event, namespace, mark string) bool {
	pod, config := mark == "", mark == ""
	for _, e := range events {
		if e.Namespace == namespace && e.Name == mark {
			pod, config = pod || e.Pod != nil, config || e.Config != nil
		}
	}
	return pod && config
}

// replay judges what happened in a namespace between two marks ("" for the record's begin and end). What lived before
// counts as alive.
func replay(events []Event, namespace, from, to string) Result {
	r := Result{Seconds: map[string]float64{}}
	s := &state{configs: map[string]Config{}}
	lives := map[string]*life{}
	open := map[string]*Violation{}
	var order []*Violation
	inside, last := from == "", time.Time{}
	for _, e := range events {
		if e.Namespace != namespace {
			continue
		}
		if inside {
			if r.Start.IsZero() {
				r.Start = e.At
			}
			r.tick(open, last, e.At)
			r.End, last = e.At, e.At
		}
		switch {
		case e.Config != nil && e.Name == from:
			inside = true
		case e.Config != nil && e.Name == to:
			r.close(order)
			return r
		}
		s.apply(e, lives, &r, inside)
		if !inside {
			continue
		}
		now := map[string]bool{}
		for _, v := range s.judge() {
			now[v.Invariant+v.What] = true
			if open[v.Invariant+v.What] == nil {
				v.From = e.At
				open[v.Invariant+v.What] = &v
				order = append(order, &v)
			}
		}
		for key := range open {
			if !now[key] {
				delete(open, key)
			}
		}
	}
	r.close(order)
	return r
}

func (r *Result) close(order []*Violation) {
	for _, v := range order {
		r.Violations = append(r.Violations, *v)
	}
}

// tick lets time pass over the violations that are open.
func (r *Result) tick(open map[string]*Violation, last, now time.Time) {
	if last.IsZero() || !now.After(last) {
		return
	}
	seen := map[string]bool{}
	for _, v := range open {
		v.For += now.Sub(last)
		if !seen[v.Invariant] {
			seen[v.Invariant] = true
			r.Seconds[v.Invariant] += now.Sub(last).Seconds()
		}
	}
}

func (s *state) apply(e Event, lives map[string]*life, r *Result, inside bool) {
	if e.Config != nil {
		if e.Type == "DELETED" {
			delete(s.configs, e.Name)
		} else {
			s.configs[e.Name] = *e.Config
		}
		return
	}
	if e.Pod == nil || e.Pod.Role == "" {
		return
	}
	l := lives[e.Pod.UID]
	if l == nil {
		l = &life{name: e.Name, born: e.Revision, created: e.At}
		lives[e.Pod.UID] = l
		s.alive = append(s.alive, l)
		l.Queue = s.queue(e.Pod)
		if s.first == "" {
			s.first = l.Queue
		}
		if inside {
			r.Pods = append(r.Pods, l)
		}
	}
	queue := l.Queue
	l.Pod = *e.Pod
	l.Queue = queue
	set := func(t *time.Time, is bool) {
		if is && t.IsZero() {
			*t = e.At
		}
	}
	l.ran = l.ran || l.Ready
	set(&l.ready, l.Ready)
	set(&l.deleting, l.Deleting)
	if e.Type == "DELETED" || l.Ended {
		set(&l.removed, true)
		s.remove(l)
	}
}

func (s *state) remove(l *life) {
	for i, other := range s.alive {
		if other == l {
			s.alive = append(s.alive[:i:i], s.alive[i+1:]...)
			return
		}
	}
}

// queue is the effective mq.type of a pod that is created now.
func (s *state) queue(p *Pod) string {
	if p.Queue != "" {
		return p.Queue
	}
	c, known := s.configs[p.Config]
	switch {
	case !known:
		return "unknown"
	case c.Queue == "":
		return "default"
	}
	return c.Queue
}
