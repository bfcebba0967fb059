# Starts and ends a control plane of its own on the loopback interface: etcd, API server, controllers, scheduler, and kwok
# in place of nodes and kubelets. To be sourced. Needs $live (this directory), $work (an empty directory that goes away
# with the caller) and $programs (what scripts/install-live printed).
#   cluster_start   -> KUBECONFIG, $server; returns 1 and says why where it does not come up
#   cluster_stop    ends what was started, nothing else
cluster=()

free_ports() { # NUMBER   held all at once, so that they differ
  python3 - "$1" <<'PY'
import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in held:
    s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in held))
PY
}
start() { # NAME ARG...   in the background; its output goes to $work/log/NAME
  local name=$1 leash=(); shift
  # Even a caller that is killed leaves nothing behind.
  ! setpriv --pdeathsig KILL true 2>/dev/null || leash=(setpriv --pdeathsig KILL --)
  "${leash[@]}" "$programs/$name" "$@" > "$work/log/$name" 2>&1 </dev/null &
  cluster+=($!)
}
until_true() { # SECONDS COMMAND...
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 0.2; done
}
not_up() { echo "the control plane is not up: $1; last words:"; tail -n 5 "$work"/log/* 2>/dev/null | cut -c1-300; return 1; }

cluster_start() {
  local client peer secure token
  mkdir -p "$work/log" "$work/certs"
  read -r client peer secure < <(free_ports 3)
  server=https://127.0.0.1:$secure
  token=$(openssl rand -hex 24)
  (umask 077
    openssl genrsa -out "$work/certs/accounts.key" 2048 2>/dev/null
    echo "$token,e2e,e2e,system:masters" > "$work/certs/tokens.csv"
    echo "$token" > "$work/certs/token")
  start etcd --name e2e --data-dir "$work/etcd" --unsafe-no-fsync --logger zap --log-level warn \
    --listen-client-urls "http://127.0.0.1:$client" --advertise-client-urls "http://127.0.0.1:$client" \
    --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
    --initial-cluster "e2e=http://127.0.0.1:$peer"
  # Without TaintNodesByCondition: no controller here would take the taint of a new node away again.
  start kube-apiserver --etcd-servers "http://127.0.0.1:$client" --bind-address 127.0.0.1 --secure-port "$secure" \
    --advertise-address 127.0.0.1 --endpoint-reconciler-type none --cert-dir "$work/certs" --token-auth-file "$work/certs/tokens.csv" \
    --authorization-mode AlwaysAllow --disable-admission-plugins TaintNodesByCondition --service-cluster-ip-range 10.0.0.0/16 \
    --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$work/certs/accounts.key" \
    --service-account-signing-key-file "$work/certs/accounts.key" --max-requests-inflight 0 --max-mutating-requests-inflight 0 \
    --enable-priority-and-fairness=false
  kubeconfig "$token"
  until_true 240 kubectl get --raw /readyz || { not_up "API server"; return 1; }
  start kube-controller-manager --kubeconfig "$KUBECONFIG" --leader-elect=false --secure-port 0 --kube-api-qps 300 --kube-api-burst 600 \
    --service-account-private-key-file "$work/certs/accounts.key" --root-ca-file "$work/certs/apiserver.crt" \
    --controllers deployment-controller,replicaset-controller,statefulset-controller,job-controller,daemonset-controller,namespace-controller,serviceaccount-controller,garbage-collector-controller,endpointslice-controller,persistentvolume-binder-controller,persistentvolumeclaim-protection-controller,disruption-controller
  start kube-scheduler --kubeconfig "$KUBECONFIG" --leader-elect=false --secure-port 0 --kube-api-qps 300 --kube-api-burst 600
  start kwok --kubeconfig "$KUBECONFIG" --config "$live/stages.yaml" --manage-all-nodes=true --node-ip 127.0.0.1 --cidr 10.128.0.0/16
  kubectl create -f "$live/cluster.yaml" >/dev/null || { not_up "its objects"; return 1; }
  # Claims ask for no class: there is one volume for each of them.
  local i
  for i in $(seq 1 100); do volume "$i"; done | kubectl create -f - >/dev/null || { not_up "its volumes"; return 1; }
  until_true 180 kubectl wait --for condition=Ready nodes --all --timeout 1s || { not_up "nodes"; return 1; }
  until_true 180 kubectl get serviceaccount default -n default || { not_up "controllers"; return 1; }
}
kubeconfig() { # TOKEN
  export KUBECONFIG=$work/kubeconfig
  (umask 077; cat > "$KUBECONFIG" <<YAML
apiVersion: v1
kind: Config
current-context: e2e
clusters: [{name: e2e, cluster: {server: "$server", certificate-authority: "$work/certs/apiserver.crt"}}]
users: [{name: e2e, user: {token: "$1"}}]
contexts: [{name: e2e, context: {cluster: e2e, user: e2e}}]
YAML
  )
}
volume() { # NUMBER
  printf '{"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "volume-%s"}, "spec": {"capacity": {"storage": "50Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/nowhere"}}}\n' "$1"
}
cluster_stop() {
  local i
  for ((i = ${#cluster[@]} - 1; i >= 0; i--)); do kill "${cluster[i]}" 2>/dev/null || true; done
  for ((i = 0; i < 50; i++)); do kill -0 "${cluster[@]}" 2>/dev/null || break; sleep 0.1; done
  for i in "${cluster[@]}"; do kill -KILL "$i" 2>/dev/null || true; wait "$i" 2>/dev/null || true; done
  cluster=()
}
