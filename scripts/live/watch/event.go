package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// Event is one line of a record: what a pod or a ConfigMap was after a change, reduced to what the invariants look at.
type Event struct {
	At        time.Time `json:"at"`
	Revision  int64     `json:"revision"`
	Type      string    `json:"type"` // ADDED, MODIFIED, DELETED; LOST where events may be missing
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Pod       *Pod      `json:"pod,omitempty"`
	Config    *Config   `json:"config,omitempty"`
}

// Pod is one that runs Milvus; of any other (Role is "") only the name counts, which may be a mark.
type Pod struct {
	UID      string `json:"uid"`
	Release  string `json:"release,omitempty"`
	Role     string `json:"role,omitempty"`
	Version  string `json:"version,omitempty"`
	Config   string `json:"config,omitempty"` // the ConfigMap it mounts
	Queue    string `json:"queue,omitempty"`  // mq.type in its environment, which beats the ConfigMap
	Ready    bool   `json:"ready,omitempty"`
	Deleting bool   `json:"deleting,omitempty"`
	Ended    bool   `json:"ended,omitempty"`
}

// Config is a ConfigMap that Milvus could mount.
type Config struct {
	Queue   string `json:"queue"` // mq.type; "" where none is set
	Standby bool   `json:"standby,omitempty"`
}

type object struct {
	Metadata struct {
		Name, Namespace, UID, ResourceVersion string
		Labels                                map[string]string
		DeletionTimestamp                     *string
	}
	Spec struct {
		Containers []struct {
			Image         string
			Command, Args []string
			Env           []struct{ Name, Value string }
		}
		Volumes []struct {
			Name      string
			ConfigMap *struct{ Name string }
		}
	}
	Status struct {
		Phase      string
		Conditions []struct{ Type, Status string }
	}
	Data map[string]string
}

// read makes an Event of an object as the API server sends it.
func read(kind, change string, raw json.RawMessage, at time.Time) (Event, error) {
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return Event{}, err
	}
	revision, err := strconv.ParseInt(o.Metadata.ResourceVersion, 10, 64)
	if err != nil {
		return Event{}, fmt.Errorf("resourceVersion of %s %s: %w", kind, o.Metadata.Name, err)
	}
	e := Event{At: at, Revision: revision, Type: change, Namespace: o.Metadata.Namespace, Name: o.Metadata.Name}
	if kind == "configmaps" {
		e.Config = config(o.Data)
	} else {
		e.Pod = pod(&o)
	}
	return e, nil
}

func pod(o *object) *Pod {
	p := &Pod{
		UID:      o.Metadata.UID,
		Release:  o.Metadata.Labels["app.kubernetes.io/instance"],
		Deleting: o.Metadata.DeletionTimestamp != nil,
		Ended:    o.Status.Phase == "Succeeded" || o.Status.Phase == "Failed",
	}
	for _, c := range o.Status.Conditions {
		p.Ready = p.Ready || c.Type == "Ready" && c.Status == "True"
	}
	for _, c := range o.Spec.Containers {
		role := role(append(append([]string{}, c.Command...), c.Args...))
		if role == "" {
			continue
		}
		p.Role, p.Version = role, version(c.Image)
		for _, env := range c.Env {
			if name := normal(env.Name); name == "mqtype" || name == "milvusmqtype" || name == "milvusconfmqtype" {
				p.Queue = env.Value
			}
		}
	}
	for _, v := range o.Spec.Volumes {
		if p.Role != "" && v.Name == "milvus-config" && v.ConfigMap != nil {
			p.Config = v.ConfigMap.Name
		}
	}
	return p
}

// role is what `milvus run` is asked to be; "" where it is not asked.
func role(words []string) string {
	words = strings.Fields(strings.Join(words, " "))
	for i := 0; i+2 < len(words); i++ {
		if words[i] == "milvus" || strings.HasSuffix(words[i], "/milvus") {
			if words[i+1] == "run" {
				if words[i+2] == "mixture" {
					return "mixcoord"
				}
				return words[i+2]
			}
		}
	}
	return ""
}

// version is the image's tag without its "v".
func version(image string) string {
	name := image[strings.LastIndex(image, "/")+1:]
	if at := strings.Index(name, "@"); at >= 0 {
		name = name[:at]
	}
	if at := strings.Index(name, ":"); at >= 0 {
		return strings.TrimPrefix(name[at+1:], "v")
	}
	return ""
}

// minor compares versions by what the invariants ask for: 2.5.16 is 205, 2.6.15 is 206, an unreadable one 0.
func minor(version string) int {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return 0
	}
	a, errA := strconv.Atoi(parts[0])
	b, errB := strconv.Atoi(parts[1])
	if errA != nil || errB != nil {
		return 0
	}
	return a*100 + b
}

// config reads default.yaml, then user.yaml (milvus.yaml of a custom one): later wins.
func config(data map[string]string) *Config {
	settings := map[string]any{}
	for _, file := range []string{"default.yaml", "user.yaml", "milvus.yaml"} {
		var sections map[string]map[string]any
		// A section that is no map is none of those looked for; what could be read of the others is kept.
		_ = yaml.Unmarshal([]byte(data[file]), &sections)
		for section, keys := range sections {
			for key, value := range keys {
				settings[normal(section+key)] = value
			}
		}
	}
	c := &Config{Standby: settings["rootcoordenableactivestandby"] == true}
	if own, set := settings["mixcoordenableactivestandby"]; set {
		c.Standby = own == true
	}
	if queue, set := settings["mqtype"]; set {
		c.Queue = fmt.Sprint(queue)
	}
	return c
}

func normal(key string) string {
	return strings.NewReplacer("/", "", "_", "", ".", "").Replace(strings.ToLower(key))
}
