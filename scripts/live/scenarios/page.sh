# The commands of docs/upgrade-helm.md, as they stand there: its blocks, one after the other, in one shell. Only the release
# and the charts are ours, and the values of step 7 are written by what the page tells the reader to write.
page() { # VERSION
  v=$1 values=legacy
  ground page
  check "installs v2.5.10 with separate coordinators" helm_install milvus-4.2.58 v2.5.10 || return 0
  mkdir -p "$d/bin" "$d/here"
  ln -sfn "$here" "$repo/plugin" "$repo/Cargo.toml" "$d/here/"
  ln -sf "$binary" "$d/bin/milvus-uplift"
  ln -sf "${helms[$v]}" "$d/bin/helm"
  is4 "$v" && mine='# Helm 4' other='# Helm 3' || mine='# Helm 3' other='# Helm 4'
  page_script > "$d/page"
  check "the page has its commands" says "$d/page" staged-upgrade 'inspect before.yaml' '--to 2.6.16' "$mine" mend_values
  mark upgrade
  check "the commands of the page, one after the other" walked || { tail -n 40 "$d/page.log"; return 0; }
  mark upgraded
  target=v2.6.16
  check "all of Milvus is on $target" only_target
  check "unplugging restarts no pod of Milvus" eval "[ -s '$d/here/pods.before' ] && diff '$d/here/pods.before' '$d/here/pods.after'"
  check "no old role is left" none_of rootcoord querycoord datacoord indexcoord indexnode
  check "the order was kept: no violation" watched upgrade upgraded
}
walked() {
  (cd "$d/here" && PATH=$d/bin:$PATH HELM_PLUGINS=$work/none RELEASE=$release NAMESPACE=$ns MILVUS_UPLIFT_HELM_TIMEOUT=120 \
    bash -eo pipefail "$d/page") > "$d/page.log" 2>&1
}
page_script() {
  cat <<'SH'
mend_values() { # REPORT   the lines that MU606 gives, into a file of values
  python3 - "$@" <<'PY'
import json, sys
said = [f["help"] for f in json.load(open(sys.argv[1]))["findings"] if f["code"] == "MU606"]
open("mu606.yaml", "w").write(said[0].split(":\n", 1)[1].split("\n(")[0] + "\n")
PY
}
SH
  awk -v other="$other" -v pods='kubectl get pods --namespace "$NAMESPACE" --selector app.kubernetes.io/name=milvus --output name' '
    /^```/ {
      if (on && first != other) {
        if (mended) gsub(/-f values\.yaml/, "-f values.yaml -f to-2.6.16.yaml -f mu606.yaml", block)
        if (mended && block ~ /^helm upgrade/) block = pods " > pods.before\n" block pods " > pods.after\n"
        if (block ~ /uplift check/) { sub(/\n$/, " --report mu606.json\nmend_values mu606.json\n", block); mended = 1 }
        printf "%s", block
      }
      on = /^```sh$/; block = first = ""; next
    }
    on { if (first == "") first = $0; block = block $0 "\n" }' "$repo/docs/upgrade-helm.md" |
    sed -e '/^helm repo /d; s/^export RELEASE=.*/set -x # release and namespace are given/' \
      -e "s|zilliztech/milvus --version 4.2.58|$charts/milvus-4.2.58.tgz|; s|zilliztech/milvus --version 5.0.20|$charts/milvus-5.0.19.tgz|" \
      -e "s|^\\(scripts/staged-upgrade .*\\)zilliztech/milvus|\\1$charts/milvus-5.0.19.tgz|; s|^  --version 5.0.20 |  |"
}
