#!/usr/bin/env bash
# Fills the disks of two of three agents, and watches what becomes of it: leaders leave the full
# nodes, writes are refused with the reason and deletes are taken, nothing acknowledged is lost, and
# all is well once there is room again. Needs Linux and the right to mount (`unshare` gives it to
# anybody where user namespaces are allowed). The binary is the first argument.
set -euo pipefail

binary=$(realpath "${1:-target/release/evenkeel}")
if [[ ${FULL_DISK_INSIDE:-} != yes ]]; then
    FULL_DISK_INSIDE=yes exec unshare --user --map-root-user --mount "$0" "$binary"
fi

work=$(mktemp -d)
evenkeel() { "$binary" "$@"; }
export EVENKEEL_CONNECT=127.0.0.1:7951,127.0.0.1:7952,127.0.0.1:7953
agents=()
finish() {
    for pid in "${agents[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait || true
    umount "$work"/n1 "$work"/n2 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
fail() {
    printf 'FAILED: %s\n' "$1" >&2
    tail -n 20 "$work"/n*.log >&2
    exit 1
}

mkdir "$work"/n1 "$work"/n2 "$work"/n3
mount -t tmpfs -o size=64m tmpfs "$work"/n1
mount -t tmpfs -o size=64m tmpfs "$work"/n2
for n in 1 2 3; do
    entry=(--join 127.0.0.1:7951)
    [[ $n == 1 ]] && entry=(--bootstrap --shards 4)
    "$binary" agent --supervise --name "n$n" --data "$work/n$n/data" --listen "127.0.0.1:795$n" \
        "${entry[@]}" 2>"$work/n$n.log" &
    agents+=($!)
done
evenkeel wait --until balanced --nodes 3

head -c 900000 /dev/urandom >"$work/value"
acknowledged=() refused=0
for i in $(seq 60); do
    if said=$(evenkeel kv put "big/$i" --file "$work/value" --timeout 10s 2>&1); then
        acknowledged+=("$i")
    elif [[ $said == *"no room on the disks"* ]]; then
        refused=$((refused + 1))
    else
        fail "put $i: $said"
    fi
done
printf '%s writes acknowledged, %s refused\n' "${#acknowledged[@]}" "$refused"
((refused > 0)) || fail 'the disks never became full'
evenkeel nodes
evenkeel nodes --json | grep -q 'takes no writes' || fail 'no node says that its disk is full'
evenkeel events --limit 500 | grep -q 'has no room' || fail 'the journal does not say it'
evenkeel kv delete "big/${acknowledged[0]}" --timeout 10s || fail 'a delete was not taken'

mount -o remount,size=512m "$work"/n1
mount -o remount,size=512m "$work"/n2
evenkeel wait --until healthy --nodes 3 --timeout 60s || fail 'not healthy once there was room'
evenkeel kv put small x --timeout 10s || fail 'no writes once there was room'
for i in "${acknowledged[@]:1}"; do
    evenkeel kv get "big/$i" | cmp -s - "$work/value" || fail "big/$i was acknowledged and is lost"
done
for shard in 1 2 3 4; do evenkeel shard hashes "$shard" >/dev/null || fail "s$shard differs"; done
printf 'nothing was lost, all copies are equal\n'
