package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// recorder follows pods and ConfigMaps of all namespaces from the moment it starts. It uses plain watches: a cache, as
// client libraries keep one, may skip a state that lasted for a moment only.
type recorder struct {
	server, token string
	client        *http.Client
	mutex         sync.Mutex
	out           *os.File
}

func newRecorder(server, tokenFile, caFile, out string) (*recorder, error) {
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s: no certificate", caFile)
	}
	file, err := os.OpenFile(out, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	return &recorder{server: server, token: strings.TrimSpace(string(token)), client: &http.Client{Transport: transport}, out: file}, nil
}

func (r *recorder) write(e Event) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	_, err = r.out.Write(append(line, '\n'))
	return err
}

func (r *recorder) get(kind string, query url.Values) (*http.Response, error) {
	request, err := http.NewRequest("GET", r.server+"/api/v1/"+kind+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	response, err := r.client.Do(request)
	if err == nil && response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 400))
		response.Body.Close()
		return nil, fmt.Errorf("%s: %s", response.Status, text)
	}
	return response, err
}

// list writes what is there and returns the revision that a watch goes on from.
func (r *recorder) list(kind string) (string, error) {
	response, err := r.get(kind, url.Values{})
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var all struct {
		Metadata struct{ ResourceVersion string }
		Items    []json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
		return "", err
	}
	for _, item := range all.Items {
		if err := r.note(kind, "ADDED", item); err != nil {
			return "", err
		}
	}
	return all.Metadata.ResourceVersion, nil
}

func (r *recorder) note(kind, change string, raw json.RawMessage) error {
	e, err := read(kind, change, raw, time.Now().UTC())
	if err != nil {
		return err
	}
	return r.write(e)
}

var errExpired = errors.New("the API server has forgotten where we were")

// follow writes one watch's events until it ends; returns the revision that the next one goes on from.
func (r *recorder) follow(kind, from string) (string, error) {
	response, err := r.get(kind, url.Values{"watch": {"1"}, "resourceVersion": {from}, "allowWatchBookmarks": {"true"}})
	if err != nil {
		if strings.HasPrefix(err.Error(), "410") {
			return from, errExpired
		}
		return from, err
	}
	defer response.Body.Close()
	lines := json.NewDecoder(bufio.NewReader(response.Body))
	for {
		var event struct {
			Type   string
			Object json.RawMessage
		}
		if err := lines.Decode(&event); err != nil {
			return from, err
		}
		var at struct {
			Code     int
			Metadata struct{ ResourceVersion string }
		}
		if err := json.Unmarshal(event.Object, &at); err != nil {
			return from, err
		}
		switch event.Type {
		case "ERROR":
			if at.Code == http.StatusGone {
				return from, errExpired
			}
			return from, fmt.Errorf("watch of %s: %s", kind, event.Object)
		case "BOOKMARK":
		default:
			if err := r.note(kind, event.Type, event.Object); err != nil {
				return from, err
			}
		}
		from = at.Metadata.ResourceVersion
	}
}

// run follows both kinds for ever. Where it cannot go on from the very event it had last, the record says LOST, and no
// judgement is made of it.
func (r *recorder) run(ready func()) error {
	froms := map[string]string{}
	for _, kind := range []string{"configmaps", "pods"} {
		from, err := r.list(kind)
		if err != nil {
			return err
		}
		froms[kind] = from
	}
	ready()
	errs := make(chan error, len(froms))
	for kind, from := range froms {
		go func(kind, from string) {
			for {
				var err error
				from, err = r.follow(kind, from)
				if errors.Is(err, errExpired) {
					errs <- r.write(Event{At: time.Now().UTC(), Type: "LOST", Name: kind})
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		}(kind, from)
	}
	return <-errs
}
