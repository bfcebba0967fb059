// watch records what happens to pods, and judges afterwards whether the order of a Milvus upgrade was kept.
//
//	watch record --server URL --token FILE --ca FILE --out RECORD
//	    follows all pods and ConfigMaps; prints "recording" once it sees all that is there
//	watch check --record RECORD --namespace N [--from MARK] [--to MARK] [--json FILE] [--pods]
//	    the figures per invariant; exit 1 where one was violated. Waits until the record has come as far as both marks
//	watch table TITLE=FILE...
//	    figures of several checks (their --json files) side by side, as Markdown
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// Figures of one check.
type Figures struct {
	Violations map[string]int     `json:"violations"`
	Seconds    map[string]float64 `json:"seconds"`
	Pods       int                `json:"pods"`
	Took       float64            `json:"took"`
}

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: watch record|check|table"))
	}
	var err error
	switch os.Args[1] {
	case "record":
		err = record(os.Args[2:])
	case "check":
		err = check(os.Args[2:])
	case "table":
		err = table(os.Args[2:])
	default:
		err = fmt.Errorf("usage: watch record|check|table")
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "watch:", err)
	os.Exit(2)
}

func record(args []string) error {
	flags := flag.NewFlagSet("record", flag.ExitOnError)
	server := flags.String("server", "", "URL of the API server")
	token := flags.String("token", "", "file with the bearer token")
	ca := flags.String("ca", "", "file with the server's certificate")
	out := flags.String("out", "", "where events go, one JSON object per line")
	_ = flags.Parse(args)
	r, err := newRecorder(*server, *token, *ca, *out)
	if err != nil {
		return err
	}
	return r.run(func() { fmt.Println("recording") })
}

func check(args []string) error {
	flags := flag.NewFlagSet("check", flag.ExitOnError)
	record := flags.String("record", "", "what `watch record` writes")
	namespace := flags.String("namespace", "", "only what happened there")
	from := flags.String("from", "", "from this mark on")
	to := flags.String("to", "", "up to this mark")
	out := flags.String("json", "", "write the figures there too")
	pods := flags.Bool("pods", false, "show every pod's life")
	_ = flags.Parse(args)
	events, err := awaited(*record, *namespace, *from, *to, 120*time.Second)
	if err != nil {
		return err
	}
	result := replay(events, *namespace, *from, *to)
	if len(result.Pods) == 0 && *pods {
		fmt.Println("no pod of Milvus came")
	}
	if *pods {
		showPods(result)
	}
	figures := result.figures()
	for _, invariant := range Invariants {
		fmt.Printf("%-66s %3d  %6.1f s\n", invariant, figures.Violations[invariant], figures.Seconds[invariant])
	}
	for _, v := range result.Violations {
		fmt.Printf("  %s: %s (at %.1f s, for %.1f s)\n", v.Invariant, v.What, v.From.Sub(result.Start).Seconds(), v.For.Seconds())
	}
	if *out != "" {
		text, err := json.MarshalIndent(figures, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(*out, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if len(result.Violations) > 0 {
		os.Exit(1)
	}
	return nil
}

// awaited reads a record once it has come as far as the marks.
func awaited(path, namespace, from, to string, patience time.Duration) ([]Event, error) {
	end := time.Now().Add(patience)
	for {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		events, err := load(file)
		file.Close()
		if err == nil && marked(events, namespace, from) && marked(events, namespace, to) {
			return events, nil
		}
		if time.Now().After(end) {
			if err == nil {
				err = fmt.Errorf("no mark %q or %q in namespace %q", from, to, namespace)
			}
			return nil, err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (r *Result) figures() Figures {
	f := Figures{Violations: map[string]int{}, Seconds: map[string]float64{}, Pods: len(r.Pods), Took: r.End.Sub(r.Start).Seconds()}
	for _, invariant := range Invariants {
		f.Violations[invariant] = 0
		f.Seconds[invariant] = r.Seconds[invariant]
	}
	for _, v := range r.Violations {
		f.Violations[v.Invariant]++
	}
	return f
}

func showPods(r Result) {
	since := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return fmt.Sprintf("%.1f", t.Sub(r.Start).Seconds())
	}
	fmt.Printf("%-14s %-10s %-10s %8s %8s %8s %8s  %s\n", "role", "version", "queue", "created", "ready", "deleted", "gone", "name")
	for _, p := range r.Pods {
		fmt.Printf("%-14s %-10s %-10s %8s %8s %8s %8s  %s\n", p.Role, p.Version, p.Queue,
			since(p.created), since(p.ready), since(p.deleting), since(p.removed), p.name)
	}
}

func table(args []string) error {
	titles, all := []string{"invariant"}, []Figures{}
	for _, arg := range args {
		title, path, found := strings.Cut(arg, "=")
		if !found {
			return fmt.Errorf("%q is not TITLE=FILE", arg)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var f Figures
		if err := json.Unmarshal(text, &f); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		titles, all = append(titles, title), append(all, f)
	}
	fmt.Println("| " + strings.Join(titles, " | ") + " |")
	fmt.Println("|" + strings.Repeat("---|", len(titles)))
	row := func(name string, cell func(Figures) string) {
		cells := []string{name}
		for _, f := range all {
			cells = append(cells, cell(f))
		}
		fmt.Println("| " + strings.Join(cells, " | ") + " |")
	}
	for _, invariant := range Invariants {
		row(invariant, func(f Figures) string {
			if f.Violations[invariant] == 0 {
				return "0"
			}
			return fmt.Sprintf("**%d** (%.0f s)", f.Violations[invariant], f.Seconds[invariant])
		})
	}
	row("pods of Milvus that came", func(f Figures) string { return fmt.Sprint(f.Pods) })
	row("took", func(f Figures) string { return fmt.Sprintf("%.0f s", f.Took) })
	return nil
}
