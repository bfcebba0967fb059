// Compare reads manifest streams with the YAML library that Helm and the API server read them with.
//
//	compare diff [-ignore-env NAME] [-ignore-checksum] [-only KIND/NAME-PREFIX] WANT GOT   one line per difference
//	compare names FILE                                            KIND/NAME of every object, in the stream's order
//	compare comments FILE                                         the comment-only documents, one JSON string per line
//	compare shape FILE                                            what Helm or Kubernetes would stumble over
//
// Exit code 1: there is something to object to.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path"
	"reflect"
	"regexp"
	"sort"
	"strings"

	"sigs.k8s.io/yaml"
)

const bookkeeping = "postrenderer.helm.sh/postrender-filename"

var separator = regexp.MustCompile(`(?m)^---(?:[ \t].*)?\r?$\n?`)

// Where an empty map or list means the same as none.
var emptyIsAbsent = map[string]bool{"resources": true, "annotations": true, "labels": true, "env": true, "initContainers": true,
	"nodeSelector": true, "tolerations": true, "affinity": true, "securityContext": true, "strategy": true,
	"topologySpreadConstraints": true}

type object = map[string]any

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(2)
	}
}

func read(file string) string {
	text, err := os.ReadFile(file)
	fail(err)
	return string(text)
}

func documents(text string) []string { return separator.Split(text, -1) }

func parse(file string) []object {
	var all []object
	for i, doc := range documents(read(file)) {
		var o any
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			fail(fmt.Errorf("%s: document %d: %w", file, i, err))
		}
		if m, is := o.(object); is {
			all = append(all, m)
		} else if o != nil {
			fail(fmt.Errorf("%s: document %d is no object", file, i))
		}
	}
	return all
}

func at(o any, keys ...string) any {
	for _, k := range keys {
		m, _ := o.(object)
		o = m[k]
	}
	return o
}

func name(o object) string { return fmt.Sprintf("%v/%v", o["kind"], at(o, "metadata", "name")) }

func clean(key string, x any, env string, checksum bool) any {
	switch x := x.(type) {
	case object:
		out := object{}
		for k, v := range x {
			if k == bookkeeping || (checksum && k == "checksum/config") {
				continue
			}
			if v = clean(k, v, env, checksum); v != nil {
				out[k] = v
			}
		}
		if len(out) == 0 && emptyIsAbsent[key] {
			return nil
		}
		return out
	case []any:
		out := []any{}
		for _, v := range x {
			if key == "env" && env != "" && at(v, "name") == env {
				continue
			}
			out = append(out, clean("", v, env, checksum))
		}
		if len(out) == 0 && emptyIsAbsent[key] {
			return nil
		}
		return out
	}
	return x
}

func differences(at string, want, got any, say func(string, ...any)) {
	switch w := want.(type) {
	case object:
		if g, same := got.(object); same {
			keys := map[string]bool{}
			for k := range w {
				keys[k] = true
			}
			for k := range g {
				keys[k] = true
			}
			for _, k := range sorted(keys) {
				differences(at+"."+k, w[k], g[k], say)
			}
			return
		}
	case []any:
		if g, same := got.([]any); same && len(g) == len(w) {
			for i := range w {
				differences(fmt.Sprintf("%s[%d]", at, i), w[i], g[i], say)
			}
			return
		}
	}
	if !reflect.DeepEqual(want, got) {
		w, _ := json.Marshal(want)
		g, _ := json.Marshal(got)
		say("%s: want %.300s got %.300s", at, w, g)
	}
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func index(file, env string, checksum bool, only string) map[string]any {
	out := map[string]any{}
	for _, o := range parse(file) {
		key := fmt.Sprintf("%v %v %s", o["apiVersion"], at(o, "metadata", "namespace"), name(o))
		if _, twice := out[key]; twice {
			key += " (again)"
		}
		if strings.HasPrefix(name(o), only) {
			out[key] = clean("", o, env, checksum)
		}
	}
	return out
}

func diff(args []string, say func(string, ...any)) {
	flags := flag.NewFlagSet("diff", flag.ExitOnError)
	env := flags.String("ignore-env", "", "leave out this environment variable")
	checksum := flags.Bool("ignore-checksum", false, "leave out checksum/config")
	only := flags.String("only", "", "KIND/NAME has to begin with this")
	fail(flags.Parse(args))
	want, got := index(flags.Arg(0), *env, *checksum, *only), index(flags.Arg(1), *env, *checksum, *only)
	if len(want) == 0 {
		say("%s: nothing to compare with", flags.Arg(0))
	}
	for _, k := range sorted(want) {
		if g, there := got[k]; there {
			differences(k, want[k], g, say)
		} else {
			say("%s: missing", k)
		}
	}
	for _, k := range sorted(got) {
		if _, there := want[k]; !there {
			say("%s: unwanted", k)
		}
	}
}

// What Kubernetes takes as strings only, and where Helm 4's bookkeeping may stand.
func texts(where string, o any, depth int, say func(string, ...any)) {
	switch x := o.(type) {
	case object:
		for k, v := range x {
			if m, is := v.(object); is && (k == "labels" || k == "annotations" || k == "matchLabels") {
				for key, val := range m {
					if _, text := val.(string); !text {
						say("T18: %s.%s.%s is %v, not text", where, k, key, val)
					}
				}
				if _, marked := m[bookkeeping]; marked && !(depth == 1 && strings.HasSuffix(where, ".metadata") && k == "annotations") {
					say("T19: %s.%s carries Helm's bookkeeping", where, k)
				}
			}
			texts(where+"."+k, v, depth+1, say)
		}
	case []any:
		for i, v := range x {
			texts(fmt.Sprintf("%s[%d]", where, i), v, depth+1, say)
		}
	}
}

func shape(file string, say func(string, ...any)) {
	text := read(file)
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		say("T17: begins with a brace")
	}
	if !strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\n\n") {
		say("T17: does not end with exactly one line break")
	}
	if strings.Contains(text, "\r") {
		say("T17: carriage returns")
	}
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "---") && line != "---" {
			say("T17: line %d: separator %q", i+1, line)
		}
		if strings.HasPrefix(line, "%") || line == "..." {
			say("T17: line %d: directive or document end %q", i+1, line)
		}
	}
	for _, doc := range documents(text) {
		if n := strings.Count(doc, bookkeeping); n > 1 {
			say("T19: %d times Helm's bookkeeping in one document", n)
		}
	}
	all := parse(file)
	if len(all) == 0 {
		say("T2: no object")
	}
	for _, o := range all {
		if n, text := at(o, "metadata", "name").(string); !text || n == "" {
			say("T18: %s has no name that is text", name(o))
		}
		texts(name(o), o, 0, say)
		if mark, is := at(o, "metadata", "annotations", bookkeeping).(string); is {
			if strings.HasPrefix(path.Base(mark), "_") || strings.Contains(mark, "..") {
				say("T19: %s: bookkeeping %q", name(o), mark)
			}
		}
	}
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: compare diff|names|comments|shape ...")
		os.Exit(2)
	}
	bad := 0
	say := func(format string, args ...any) { bad++; fmt.Printf(format+"\n", args...) }
	switch os.Args[1] {
	case "diff":
		diff(os.Args[2:], say)
	case "names":
		for _, o := range parse(os.Args[2]) {
			fmt.Println(name(o))
		}
	case "comments":
		for _, doc := range documents(read(os.Args[2])) {
			var o any
			fail(yaml.Unmarshal([]byte(doc), &o))
			if doc = strings.TrimSpace(doc); o == nil && doc != "" {
				line, _ := json.Marshal(doc)
				fmt.Println(string(line))
			}
		}
	case "shape":
		shape(os.Args[2], say)
	}
	if bad > 0 {
		os.Exit(1)
	}
}
