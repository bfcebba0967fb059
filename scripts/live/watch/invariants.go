package main

// The order of an upgrade from 2.5 to 2.6, as a watcher outside can see it.
const (
	coordinators = "no 2.6 mixcoord while a legacy coordinator lives"
	twoLeaders   = "no 2.6 mixcoord beside an older one without active-standby"
	queryNodes   = "no 2.6 querynode before streamingnode and mixcoord are updated"
	proxies      = "no 2.6 proxy while an older querynode or datanode lives"
	indexNodes   = "no indexnode on a 2.6 image"
	queues       = "never two queues"
)

// Invariants in the order in which they are shown.
var Invariants = []string{coordinators, twoLeaders, queryNodes, proxies, indexNodes, queues}

func legacy(role string) bool {
	switch role {
	case "rootcoord", "querycoord", "datacoord", "indexcoord":
		return true
	}
	return false
}

// A version that cannot be read is older than any.
func (l *life) new() bool { return minor(l.Version) >= 206 }

// judge names every violation that there is at this moment.
func (s *state) judge() []Violation {
	var found []Violation
	say := func(invariant, what string) { found = append(found, Violation{Invariant: invariant, What: what}) }
	updated := s.updated("mixcoord") && s.updated("streamingnode")
	for _, a := range s.alive {
		if a.Queue != s.first {
			say(queues, a.name+" uses "+a.Queue+", the first used "+s.first)
		}
		if !a.new() {
			continue
		}
		switch a.Role {
		case "indexnode":
			say(indexNodes, a.name)
		case "querynode":
			if !updated {
				say(queryNodes, a.name)
			}
		}
		for _, b := range s.alive {
			switch {
			case a.Role == "mixcoord" && legacy(b.Role):
				say(coordinators, a.name+" beside "+b.name)
			case a.Role == "mixcoord" && b.Role == "mixcoord" && !b.new() && !s.configs[a.Config].Standby:
				say(twoLeaders, a.name+" beside "+b.name)
			case a.Role == "proxy" && (b.Role == "querynode" || b.Role == "datanode") && !b.new():
				say(proxies, a.name+" beside "+b.name)
			}
		}
	}
	return found
}

// updated: at least one pod of the role has been ready on 2.6, and none of an older version is left.
func (s *state) updated(role string) bool {
	ready := false
	for _, l := range s.alive {
		if l.Role == role && !l.new() {
			return false
		}
		ready = ready || l.Role == role && l.ran
	}
	return ready
}
