package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func recorded(t *testing.T, name string) []Event {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	events, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func broken(r Result) map[string]int {
	found := map[string]int{}
	for _, v := range r.Violations {
		found[v.Invariant]++
	}
	return found
}

func TestEachSequenceBreaksWhatItIsAbout(t *testing.T) {
	seen := map[string]bool{}
	for name, wanted := range map[string]string{
		"in-order":                                "",
		"two-mixcoords-standby":                   "",
		"coordinator-still-ending":                coordinators,
		"two-mixcoords":                           twoLeaders,
		"querynode-before-streamingnode-is-ready": queryNodes,
		"querynode-beside-old-mixcoord":           queryNodes,
		"proxy-beside-old-datanode":               proxies,
		"indexnode-on-2.6":                        indexNodes,
		"another-queue":                           queues,
		"another-queue-after-all-ended":           queues,
		"another-queue-in-the-environment":        queues,
	} {
		want := map[string]int{}
		if wanted != "" {
			want[wanted] = 1
			seen[wanted] = true
		}
		if got := broken(replay(recorded(t, name), "milvus", "", "")); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, wanted %v", name, got, want)
		}
	}
	if len(seen) != len(Invariants) {
		t.Errorf("only %d of %d invariants are broken by a sequence", len(seen), len(Invariants))
	}
}

func TestAViolationLastsAsLongAsBothLive(t *testing.T) {
	r := replay(recorded(t, "coordinator-still-ending"), "milvus", "", "")
	if len(r.Violations) != 1 || r.Violations[0].For != time.Second || r.Seconds[coordinators] != 1 {
		t.Errorf("%+v, %v", r.Violations, r.Seconds)
	}
}

func TestMarksCutTheRecordAndWhatLivedBeforeStillCounts(t *testing.T) {
	events := recorded(t, "in-order")
	r := replay(events, "milvus", "begin", "end")
	if len(r.Pods) != 5 {
		t.Errorf("%d pods came between the marks, wanted 5", len(r.Pods))
	}
	for _, e := range events {
		if e.Name == "milvus-querynode-2.5.16-1" && e.Type == "DELETED" {
			late := append([]Event{}, events...)
			for i := range late {
				if late[i].Revision == e.Revision {
					late = append(late[:i], late[i+1:]...)
					break
				}
			}
			if got := broken(replay(late, "milvus", "begin", "end")); got[proxies] != 1 {
				t.Errorf("a querynode from before the mark is not seen: %v", got)
			}
		}
	}
	if got := replay(events, "elsewhere", "", ""); len(got.Pods) != 0 || len(got.Violations) != 0 {
		t.Errorf("another namespace: %+v", got)
	}
	if !marked(events, "milvus", "end") || marked(events, "milvus", "later") || marked(events[:len(events)-1], "milvus", "end") {
		t.Error("a mark is there once both its objects are")
	}
}

func TestTheOrderIsTheClustersAndNotTheFiles(t *testing.T) {
	text, err := os.ReadFile("testdata/in-order.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i, j := 0, len(lines)-1; i < j; i, j = i+1, j-1 {
		lines[i], lines[j] = lines[j], lines[i]
	}
	events, err := load(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	if got := broken(replay(events, "milvus", "", "")); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestARecordWithAGapIsNotJudged(t *testing.T) {
	file, err := os.Open("testdata/lost.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := load(file); err == nil {
		t.Error("judged")
	}
}

func TestRead(t *testing.T) {
	raw := `{"metadata": {"name": "p", "namespace": "n", "uid": "u", "resourceVersion": "7", "deletionTimestamp": "2026-01-01T00:00:00Z",
	  "labels": {"app.kubernetes.io/instance": "r"}},
	  "spec": {"containers": [{"image": "busybox:1", "args": ["run"]},
	    {"image": "registry.example:5000/mirror/milvus:v2.6.15@sha256:00", "args": ["/milvus/tools/heaptrack/bin/heaptrack", "milvus", "run", "mixture", "-rootcoord"],
	     "env": [{"name": "MQ_TYPE", "value": "kafka"}]}],
	   "volumes": [{"name": "milvus-config", "configMap": {"name": "c"}}]},
	  "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}`
	e, err := read("pods", "ADDED", json.RawMessage(raw), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	want := Pod{UID: "u", Release: "r", Role: "mixcoord", Version: "2.6.15", Config: "c", Queue: "kafka", Ready: true, Deleting: true}
	if *e.Pod != want || e.Revision != 7 || e.Namespace != "n" {
		t.Errorf("%+v %+v", e, *e.Pod)
	}
	raw = `{"metadata": {"name": "c", "resourceVersion": "8"}, "data": {"default.yaml": "a: b\nmq: {type: pulsar}\nrootCoord: {enableActiveStandby: true}", "user.yaml": "mq:\n  type: kafka"}}`
	e, err = read("configmaps", "ADDED", json.RawMessage(raw), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if *e.Config != (Config{Queue: "kafka", Standby: true}) {
		t.Errorf("%+v", *e.Config)
	}
}

func TestRoleAndVersion(t *testing.T) {
	for words, want := range map[string]string{
		"milvus run proxy":                         "proxy",
		"/milvus/bin/milvus run streamingnode":     "streamingnode",
		"sh -c exec milvus run mixture -rootcoord": "mixcoord",
		"milvus": "", "run proxy": "", "milvus run": "",
	} {
		if got := role(strings.Fields(words)); got != want {
			t.Errorf("%s: %q", words, got)
		}
	}
	for image, want := range map[string]int{"milvusdb/milvus:v2.5.16": 205, "a:1/milvus:2.6.0-rc1": 206, "milvus": 0, "milvus:latest": 0, "milvus@sha256:1": 0, "m:v3.0.0": 300} {
		if got := minor(version(image)); got != want {
			t.Errorf("%s: %d", image, got)
		}
	}
}
