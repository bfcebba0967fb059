# What the order is worth: the same upgrade, all at once. Leaves $d/at-once.json and $d/plain.json.
at_once() { # VERSION   through us, but without stages
  v=$1 values=legacy
  ground at-once
  check "installs $floor with one coordinator" helm_install $old_chart $floor "${one_coordinator[@]}" || return 0
  current
  mark upgrade
  check "upgrades at once" uplift $new_chart $target || return 0
  check "the old pods end" settled
  mark upgraded
  check "the watcher sees the order broken" violated at-once upgrade upgraded
}
plain() { # VERSION   without us, with the upgrade guide's flags, from separate coordinators
  v=$1 values=legacy
  ground plain
  check "installs $floor with separate coordinators" helm_install $old_chart $floor || return 0
  mark upgrade
  check "upgrades at once, without us" helm_upgrade $new_chart $target "${one_coordinator[@]}" "${architecture[@]}" || return 0
  check "the old pods end" settled
  mark upgraded
  check "the watcher sees the order broken" violated plain upgrade upgraded
}
violated() { # NAME FROM TO
  local code=0
  watched "$2" "$3" --json "$d/$1.json" > "$d/$1.said" 2>&1 || code=$?
  [ $code = 1 ] || { cat "$d/$1.said"; return 1; }
}
